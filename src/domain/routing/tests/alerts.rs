//! How the program itself does.

use super::*;

fn alerted(people: Vec<Stakeholder>, severity: Priority) -> Vec<String> {
    let notices = routing(people, vec![rule("all", &["anna"])]).alert(severity, at(NOON));
    let told = notices.iter().map(|one| {
        told(&Notice {
            channel: one.channel.clone(),
            recipient: one.recipient.clone(),
            language: one.language,
            when: one.when,
            match_id: 0,
            changes: vec![],
        })
    });
    told.collect()
}

#[test]
fn operators_are_told_or_coordinators_where_there_are_none() {
    let mut ove = by(person("ove", Role::Operator), &["mail", "ops"]);
    // None of these is about alerts.
    ove.minimum = Priority::Critical;
    ove.categories = Some(vec![]);
    ove.pace = Pace::Hourly;
    let mut quiet = by(person("quiet", Role::Operator), &["ops", "mail", "phone"]);
    quiet.quiet = QuietHours::parse("11:00-13:00").unwrap();
    let (anna, cia) = (referee("anna", 101), person("cia", Role::Coordinator));
    let low = Priority::Low;
    let people = vec![anna.clone(), cia.clone(), quiet.clone(), ove.clone()];
    let until = "from 2027-07-01T11:00:00Z";
    assert_eq!(
        alerted(people.clone(), low),
        [
            "discord:ops".to_owned(),
            format!("mail/quiet {until}"),
            format!("ntfy:phone {until}"),
            "mail/ove".to_owned(),
        ]
    );
    assert_eq!(
        alerted(people, Priority::Critical),
        ["discord:ops", "mail/quiet", "ntfy:phone", "mail/ove"]
    );
    ove.is_active = false;
    assert_eq!(alerted(vec![anna.clone(), cia, ove], low), ["mail/cia"]);
    assert_eq!(alerted(vec![anna], low), [""; 0]);
}
