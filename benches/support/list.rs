//! Invented match lists in the form of the service's: about 2.9 KB a match, no real person in them.

use std::fmt::Write;

use bytes::Bytes;

const CLUBS: [&str; 8] = [
    "Norrby IF",
    "Söderköpings BK",
    "Åby FF",
    "Östra SK",
    "Falkens IF",
    "Kullens BK",
    "Ängby FC",
    "Västra AIS",
];
const NAMES: [&str; 5] = ["Fatima", "Hanna", "David", "Åsa", "Björn"];
const ROLES: [(&str, &str); 3] = [
    ("Huvuddomare", "Dom"),
    ("Assisterande 1", "AD1"),
    ("Assisterande 2", "AD2"),
];

/// One version of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// As it was first.
    First,
    /// Every hundredth match has another kick-off.
    OnePercentMoved,
    /// The last match has another kick-off.
    LastMoved,
    /// Every match has another kick-off.
    AllMoved,
}

/// A list of `matches` matches.
pub fn list(matches: usize, edition: Edition) -> Bytes {
    let mut text = String::with_capacity(matches * 2960 + 2);
    for number in 0..matches {
        text.push(if number == 0 { '[' } else { ',' });
        let moved = match edition {
            Edition::First => false,
            Edition::OnePercentMoved => number % 100 == 0,
            Edition::LastMoved => number + 1 == matches,
            Edition::AllMoved => true,
        };
        one(&mut text, number, if moved { "20:15" } else { "19:00" });
    }
    text.push(']');
    Bytes::from(text)
}

fn one(text: &mut String, n: usize, kickoff: &str) {
    let (home, away) = (CLUBS[n % 8], CLUBS[(n / 8 + 1) % 8]);
    let (month, day) = (n / 28 % 12 + 1, n % 28 + 1);
    let _ = write!(
        text,
        r#"{{"__type":"Svenskfotboll.Fogis.Web.FogisMobilDomarKlient.MatchJSON","value":"{nr}","label":"{nr}: {home} - {away} (Div 2 Herr), 2097-{month:02}-{day:02} {kickoff}","matchid":{id},"matchnr":"{nr}","fotbollstypid":1,"matchlag1id":{m1},"lag1lagengagemangid":1290003,"lag1lagid":{t1},"lag1foreningid":{c1},"lag1forbundid":0,"lag1namn":"{home}","lag1spelsystem":"","matchlag2id":{m2},"lag2lagengagemangid":1290017,"lag2lagid":{t2},"lag2foreningid":{c2},"lag2forbundid":0,"lag2namn":"{away}","lag2spelsystem":"","anlaggningid":22006,"anlaggningnamn":"Åbyvallen","anlaggningLatitud":57.66,"anlaggningLongitud":12.06,"tid":"/Date(1808931600000)/","speldatum":"2097-{month:02}-{day:02}","avsparkstid":"{kickoff}","tidsangivelse":"2097-{month:02}-{day:02}, {kickoff}","tavlingid":125025,"tavlingnr":"000025","tavlingnamn":"Div 2 Herr","tavlingskategoriid":701,"tavlingskategorinamn":"Div 2","tavlingagsavforbundid":1,"matchlag1mal":0,"matchlag2mal":0,"arslutresultat":false,"wo":false,"ow":false,"ww":false,"antalaskadare":0,"uppskjuten":false,"avbruten":false,"installd":false,"matchrapportgodkandavdomare":false,"antalhalvlekar":2,"tidperhalvlek":45,"domaruppdraglista":["#,
        nr = 857_000_000 + n,
        id = 6_000_000 + n,
        m1 = 12_000_000 + n,
        m2 = 13_000_000 + n,
        t1 = 300_000 + n % 8,
        t2 = 300_000 + (n / 8 + 1) % 8,
        c1 = 11_000 + n % 8,
        c2 = 11_000 + (n / 8 + 1) % 8,
    );
    for (place, role) in ROLES.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { "," });
        referee(text, n, place, *role);
    }
    let _ = write!(
        text,
        r#"],"domarefargodkannarapport":false,"noteringfrandomare":"","tavlingKonId":2,"kontaktpersoner":[{{"lagid":300003,"personid":900000,"foreningId":11003,"reserv":false,"lagnamn":"{home}","personnamn":"Kontakt {n}","telefon":"","mobiltelefon":"0709000000","epostadress":"kontakt{n}@example.com","adress":"","postnr":"","postort":"","land":""}}]}}"#,
    );
}

fn referee(text: &mut String, n: usize, place: usize, (role, short): (&str, &str)) {
    let person = (n * 3 + place) % 9000;
    let name = NAMES[person % 5];
    let _ = write!(
        text,
        r#"{{"domaruppdragid":{id},"matchid":{match_id},"matchnr":"{nr}","domarrollid":{role_id},"domarrollnamn":"{role}","domarrollkortnamn":"{short}","domareid":{referee},"domarnr":"{number}","personid":{person_id},"domaruppdragstatusid":5,"domaruppdragstatusnamn":"Tilldelat","personnamn":"{name} Påhittsson","telefon":"","mobiltelefon":"070{person:07}","telefonarbete":"","adress":"Exempelgatan {place}","coadress":"","epostadress":"domare{person}@example.com","land":"Sverige","namn":"{name} Påhittsson","postnr":"12345","postort":"Göteborg"}}"#,
        id = 7_000_000 + n * 3 + place,
        match_id = 6_000_000 + n,
        nr = 857_000_000 + n,
        role_id = place + 1,
        referee = 6000 + person,
        number = 60_000 + person,
        person_id = 1_000_000 + person,
    );
}
