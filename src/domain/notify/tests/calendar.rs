use super::*;

fn now() -> jiff::Timestamp {
    "2027-05-01T12:00:05Z".parse().unwrap()
}

fn calendar(message: &Message) -> Option<Calendar> {
    wording().mail(message, now()).calendar
}

fn of(fields: Value) -> Calendar {
    calendar(&Message::changes(Language::Swedish, changed(fields))).unwrap()
}

fn unfolded(calendar: &Calendar) -> String {
    calendar.text.replace("\r\n ", "").replace("\r\n", "\n")
}

fn line(calendar: &Calendar, name: &str) -> String {
    let text = unfolded(calendar);
    let found = text.lines().find(|line| line.starts_with(name));
    found
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}

#[test]
fn a_moved_match_is_an_entry_to_change() {
    let moved =
        of(json!({"avsparkstid": "18:30", "anlaggningnamn": "Vallen, plan 2; norr\\söder"}));
    assert_eq!(moved.method, Method::Publish);
    insta::assert_snapshot!(unfolded(&moved), @r#"
    BEGIN:VCALENDAR
    VERSION:2.0
    PRODID:-//match-list-processor//EN
    CALSCALE:GREGORIAN
    METHOD:PUBLISH
    BEGIN:VEVENT
    UID:match-6000001@match-list-processor
    DTSTAMP:20270501T120005Z
    SEQUENCE:231336000
    STATUS:CONFIRMED
    DTSTART:20270511T163000Z
    DURATION:PT2H
    ORGANIZER;CN=match-list-processor:mailto:nobody@match-list-processor.invalid
    SUMMARY:Norra IF – Södra BK
    LOCATION:Vallen\, plan 2\; norr\\söder
    DESCRIPTION:Matchnummer: 000402010\nCupen\nHuvuddomare: Anna Exempel\nAssisterande 1: Bo Exempel\nhttps://www.svenskfotboll.se/matchfakta/match?matchId=6000001
    URL:https://www.svenskfotboll.se/matchfakta/match?matchId=6000001
    END:VEVENT
    END:VCALENDAR
    "#);
}

#[test]
fn a_kick_off_is_told_in_utc_by_the_rules_of_its_day() {
    assert_eq!(
        line(&of(json!({"avsparkstid": "18:30"})), "DTSTART"),
        "DTSTART:20270511T163000Z"
    );
    let winter = of(json!({"speldatum": "2027-11-02"}));
    assert_eq!(line(&winter, "DTSTART"), "DTSTART:20271102T180000Z");
    let spring = of(json!({"speldatum": "2027-03-28", "avsparkstid": "02:30"}));
    assert_eq!(line(&spring, "DTSTART"), "DTSTART:20270328T013000Z");
}

#[test]
fn a_match_whose_kick_off_is_unknown_takes_the_day() {
    let day = of(json!({"speldatum": "2027-05-12", "avsparkstid": ""}));
    assert_eq!(line(&day, "DTSTART"), "DTSTART;VALUE=DATE:20270512");
    assert!(!day.text.contains("DURATION"));
    let unknown = changed(json!({"speldatum": "", "anlaggningnamn": "B"}));
    assert_eq!(
        calendar(&Message::changes(Language::Swedish, unknown)),
        None
    );
}

#[test]
fn a_match_that_is_off_or_gone_is_taken_out() {
    for news in [
        changed(json!({"installd": true})),
        step(Some(&with(json!({}))), None).unwrap(),
    ] {
        let off = calendar(&Message::changes(Language::Swedish, news)).unwrap();
        assert_eq!(off.method, Method::Cancel);
        assert_eq!(line(&off, "METHOD"), "METHOD:CANCEL");
        assert_eq!(line(&off, "STATUS"), "STATUS:CANCELLED");
        assert_eq!(line(&off, "UID"), "UID:match-6000001@match-list-processor");
    }
    let postponed = of(json!({"uppskjuten": true}));
    assert_eq!(line(&postponed, "STATUS"), "STATUS:TENTATIVE");
}

#[test]
fn only_what_a_calendar_shows_has_an_entry() {
    let wording = wording();
    let with_entry: Vec<String> = every_kind(Language::Swedish)
        .into_iter()
        .filter(|(_, message)| wording.mail(message, now()).calendar.is_some())
        .map(|(name, _)| name)
        .collect();
    insta::assert_snapshot!(with_entry.join(", "), @"new match with referees, referees assigned, date, time, date, time and venue, venue, venue id, cancelled, postponed, interrupted, no longer cancelled, removed, today, digest");
}

#[test]
fn a_later_change_has_a_higher_sequence_and_a_repeat_the_same() {
    let (before, after) = (with(json!({})), with(json!({"avsparkstid": "18:30"})));
    let sequence = |found_at: &str, now: &str| {
        let news = step_at(Some(&before), Some(&after), found_at).unwrap();
        let message = Message::changes(Language::Swedish, news);
        let calendar = wording().mail(&message, now.parse().unwrap()).calendar;
        let line = line(&calendar.unwrap(), "SEQUENCE");
        line.split(':').nth(1).unwrap().parse::<i32>().unwrap()
    };
    let first = sequence("2027-05-01T12:00:00Z", "2027-05-01T12:00:05Z");
    let again = sequence("2027-05-01T12:00:00Z", "2027-05-01T13:00:00Z");
    let later = sequence("2027-05-01T12:00:30Z", "2027-05-01T12:00:31Z");
    assert_eq!(first, again);
    assert!(later > first && first > 0);
    sequence("2080-01-01T00:00:00Z", "2080-01-01T00:00:00Z");
}

#[test]
fn lines_are_folded_at_75_octets_and_end_in_cr_lf() {
    let long = "Åäö, långt; namn ".repeat(30);
    let calendar = of(json!({"anlaggningnamn": long, "lag1namn": long}));
    assert!(calendar.text.ends_with("END:VCALENDAR\r\n"));
    for line in calendar.text.split_terminator("\r\n") {
        assert!(
            line.len() <= 75 && !line.contains(['\r', '\n']),
            "{}: {line}",
            line.len()
        );
    }
    assert!(line(&calendar, "LOCATION").starts_with("LOCATION:Åäö\\, långt\\; namn Åäö"));
}

#[test]
fn the_entries_of_a_digest_are_in_one_file() {
    let (_, digest) = every_kind(Language::Swedish)
        .into_iter()
        .find(|(name, _)| name == "digest")
        .unwrap();
    let both = calendar(&digest).unwrap();
    assert_eq!(both.method, Method::Publish);
    assert_eq!(both.text.matches("BEGIN:VEVENT").count(), 2);
    assert_eq!(both.text.matches("STATUS:CANCELLED").count(), 1);
}

#[test]
fn who_was_replaced_takes_the_match_out_and_who_was_appointed_enters_it() {
    let other = [
        referee(51, "Huvuddomare", "Anna Exempel"),
        referee(53, "AD1", "Cilla Exempel"),
    ];
    let news = || changed(json!({"domaruppdraglista": other}));
    let told = |reader| {
        let news = MatchNews { reader, ..news() };
        calendar(&Message::changes(Language::Swedish, news))
    };
    assert_eq!(told(None), None, "nothing changes for anybody else");
    let uid = line(&of(json!({"avsparkstid": "18:30"})), "UID");
    let (out, new) = (
        told(Some(Part::Replaced)).unwrap(),
        told(Some(Part::Appointed)).unwrap(),
    );
    assert_eq!((out.method, new.method), (Method::Cancel, Method::Publish));
    for (calendar, status) in [(&out, "STATUS:CANCELLED"), (&new, "STATUS:CONFIRMED")] {
        assert_eq!(line(calendar, "UID"), uid);
        assert_eq!(line(calendar, "STATUS"), status);
        assert_ne!(line(calendar, "SEQUENCE"), "SEQUENCE:0");
    }
    let message = |reader| Message::changes(Language::Swedish, MatchNews { reader, ..news() });
    let moved = Message::changes(Language::Swedish, changed(json!({"avsparkstid": "18:30"})));
    let both = Message::merged(message(Some(Part::Replaced)), moved).unwrap();
    assert_eq!(
        calendar(&both).unwrap().method,
        Method::Cancel,
        "a later change puts nobody back"
    );
}
