//! Invented matches and the JSON that the association's service would send for them.

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

/// Clubs, by their ids from 11000 on.
const CLUBS: &[&str] = &[
    "Lindome GIF",
    "Örgryte IS",
    "Åby IF",
    "BK Häcken",
    "Mölndals FF",
    "Kungälvs IK",
    "Sävedalens IF",
    "Utsiktens BK",
    "Qviding FIF",
    "Västra Frölunda IF",
    "Askims IK",
    "Torslanda IK",
];

/// Pitches.
const VENUES: &[&str] = &[
    "Åbyvallen",
    "Ruddalens IP 1",
    "Valhalla IP",
    "Lindevi IP",
    "Gamla Ullevi",
    "Heden 4",
];

/// Invented people.
pub const REFEREES: &[&str] = &[
    "Alva Ekström",
    "Björn Sandell",
    "Cecilia Nordin",
    "David Åkerman",
    "Elsa Rydberg",
    "Fabian Holm",
    "Greta Sjölin",
    "Hugo Wallin",
    "Ingrid Falk",
    "Jonas Öman",
];

const ROLES: &[(i64, &str, &str)] = &[
    (1, "Huvuddomare", "Dom"),
    (2, "Assisterande 1", "AD1"),
    (3, "Assisterande 2", "AD2"),
    (4, "Fjärdedomare", "4:e"),
];

/// One match, by indexes into the tables above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    /// The match's id.
    pub id: i64,
    /// The home club.
    pub home: usize,
    /// The away club.
    pub away: usize,
    /// The pitch.
    pub venue: usize,
    /// Days from today.
    pub day: i64,
    /// The kick-off, in minutes after midnight.
    pub minute: u32,
    /// The referees, in the order of the roles.
    pub referees: Vec<usize>,
}

impl Fixture {
    /// The two teams.
    pub fn teams(&self) -> String {
        format!("{} - {}", club(self.home), club(self.away))
    }

    /// Local time of the kick-off.
    pub fn kickoff(&self) -> String {
        format!("{:02}:{:02}", self.minute / 60, self.minute % 60)
    }

    /// The pitch's name.
    pub fn venue_name(&self) -> &'static str {
        VENUES[self.venue % VENUES.len()]
    }

    /// The raw match object, with the service's field names.
    pub fn to_json(&self, today: Date) -> Value {
        let date = today.saturating_add(self.day.days()).to_string();
        let number = format!("{:09}", 100_000 + self.id % 100_000);
        let (home, away) = (self.home % CLUBS.len(), self.away % CLUBS.len());
        let kickoff = self.kickoff();
        json!({
            "__type": "Svenskfotboll.Fogis.Web.FogisMobilDomarKlient.MatchJSON",
            "value": number,
            "label": format!("{number}: {} (Div 2 Herr), {date} {kickoff}", self.teams()),
            "matchid": self.id,
            "matchnr": number,
            "lag1lagid": 300_000 + home,
            "lag1foreningid": 11_000 + home,
            "lag1namn": club(self.home),
            "lag2lagid": 300_000 + away,
            "lag2foreningid": 11_000 + away,
            "lag2namn": club(self.away),
            "anlaggningid": 22_000 + self.venue % VENUES.len(),
            "anlaggningnamn": self.venue_name(),
            "speldatum": date,
            "avsparkstid": kickoff,
            "tidsangivelse": format!("{date}, {kickoff}"),
            "tavlingid": 125_025,
            "tavlingnamn": "Div 2 Herr",
            "matchlag1mal": 0,
            "matchlag2mal": 0,
            "uppskjuten": false,
            "avbruten": false,
            "installd": false,
            "domaruppdraglista": self.assignments(),
            "kontaktpersoner": [],
        })
    }

    fn assignments(&self) -> Vec<Value> {
        let assignment = |(&referee, &(role, name, short)): (&usize, &(i64, &str, &str))| {
            let referee = referee % REFEREES.len();
            json!({
                "domaruppdragid": self.id * 10 + role,
                "matchid": self.id,
                "domarrollid": role,
                "domarrollnamn": name,
                "domarrollkortnamn": short,
                "domareid": 6_000 + referee,
                "domarnr": (60_000 + referee).to_string(),
                "personid": 1_000_000 + referee,
                "personnamn": REFEREES[referee],
                "namn": REFEREES[referee],
                "mobiltelefon": format!("0700000{:03}", 100 + referee),
                "epostadress": format!("domare{referee}@example.com"),
                "adress": "",
                "postnr": "",
                "postort": "",
                "land": "Sverige",
            })
        };
        self.referees.iter().zip(ROLES).map(assignment).collect()
    }
}

/// The club's name.
pub fn club(index: usize) -> &'static str {
    CLUBS[index % CLUBS.len()]
}
