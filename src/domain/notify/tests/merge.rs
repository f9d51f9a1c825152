use super::*;

#[expect(
    clippy::unnecessary_wraps,
    reason = "a state can also be that it is not there"
)]
fn venue(name: &str) -> Option<Value> {
    Some(with(json!({"anlaggningnamn": name})))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a state can also be that it is not there"
)]
fn referees(list: Value) -> Option<Value> {
    Some(with(json!({"domaruppdraglista": list})))
}

fn told_of(states: &[Option<Value>]) -> Vec<String> {
    told(chain(states).as_ref())
}

#[test]
fn what_moved_twice_is_told_from_the_first_to_the_last() {
    let moved = told_of(&[venue("A"), venue("B"), venue("C")]);
    assert_eq!(moved, ["venue_change venue: A → C"]);
}

#[test]
fn what_moved_back_is_not_told() {
    assert_eq!(chain(&[venue("A"), venue("B"), venue("A")]), None);
    let other = Some(with(json!({"anlaggningnamn": "A", "avsparkstid": "18:30"})));
    let kept = told_of(&[venue("A"), venue("B"), other]);
    assert_eq!(kept, ["time_change time: 19:00 → 18:30"]);
}

#[test]
fn a_cancellation_that_was_withdrawn_in_time_is_not_told() {
    let cancelled = Some(with(json!({"installd": true})));
    let planned = Some(with(json!({})));
    assert_eq!(
        chain(&[planned.clone(), cancelled.clone(), planned.clone()]),
        None
    );
    assert_eq!(chain(&[cancelled.clone(), planned, cancelled]), None);
}

#[test]
fn referees_who_came_and_changed_are_told_as_an_assignment() {
    let (anna, bo) = (
        referee(51, "Dom", "Anna Exempel"),
        referee(52, "Dom", "Bo Exempel"),
    );
    let none = referees(json!([]));
    let [anna, bo] = [anna, bo].map(|r| referees(json!([r])));
    let came = told_of(&[none.clone(), anna.clone(), bo.clone()]);
    assert_eq!(came, ["new_assignment referees: - → Dom: Bo Exempel"]);
    let changed = told_of(&[anna.clone(), none.clone(), bo]);
    assert_eq!(
        changed,
        ["referee_change referees: Dom: Anna Exempel → Dom: Bo Exempel"]
    );
    assert_eq!(chain(&[none.clone(), anna, none]), None);
}

#[test]
fn who_came_and_who_went_are_told_from_the_first_to_the_last() {
    let [anna, bo, cilla] = ["Anna", "Bo", "Cilla"].map(|name| {
        let id = i64::try_from(name.len()).unwrap();
        referees(json!([referee(id, "Dom", &format!("{name} Exempel"))]))
    });
    let message = chain(&[anna, bo, cilla]).unwrap();
    let body = wording().text(&message, NOW).body;
    let told: Vec<&str> = body.lines().take(2).collect();
    assert_eq!(
        told,
        ["Ny: Cilla Exempel (Dom)", "Utgår: Anna Exempel (Dom)"]
    );
}

#[test]
fn referees_in_another_order_are_the_same() {
    let (anna, bo) = (
        referee(51, "Dom", "Anna Exempel"),
        referee(52, "AD1", "Bo Exempel"),
    );
    let both = referees(json!([anna, bo]));
    let swapped = referees(json!([bo, anna]));
    assert_eq!(chain(&[both, referees(json!([anna])), swapped]), None);
}

#[test]
fn a_new_match_that_moved_is_new_at_its_new_place() {
    let states = [None, venue("A"), venue("B")];
    let message = chain(&states).unwrap();
    assert_eq!(message.matches[0].venue, "B");
    let told = told(Some(&message));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("new_assignment"), "{told:?}");
}

#[test]
fn a_new_match_that_was_called_off_is_both() {
    let states = [
        None,
        Some(with(json!({}))),
        Some(with(json!({"installd": true}))),
    ];
    let message = chain(&states).unwrap();
    assert_eq!(message.priority, Priority::Critical);
    let categories: Vec<_> = message.matches[0]
        .told()
        .iter()
        .map(|n| n.category)
        .collect();
    assert_eq!(
        categories,
        [Category::Cancellation, Category::NewAssignment]
    );
}

#[test]
fn a_new_match_that_got_and_lost_its_referees_is_new() {
    let states = [None, Some(with(json!({}))), referees(json!([]))];
    assert_eq!(told_of(&states), ["new_match match: - → -"]);
    let states = [None, referees(json!([])), Some(with(json!({})))];
    assert!(told_of(&states)[0].starts_with("new_assignment"));
}

#[test]
fn a_match_that_came_and_went_is_not_told() {
    assert_eq!(chain(&[None, venue("A"), None]), None);
    assert_eq!(chain(&[None, venue("A"), venue("B"), None]), None);
}

#[test]
fn a_match_that_went_and_came_back_is_told_by_what_differs() {
    assert_eq!(chain(&[venue("A"), None, venue("A")]), None);
    let told = told_of(&[venue("A"), venue("B"), None, venue("C")]);
    assert_eq!(told, ["venue_change venue: A → C"]);
}

#[test]
fn of_a_match_that_moved_and_went_only_the_last_is_told() {
    let told = told_of(&[venue("A"), venue("B"), None]);
    assert_eq!(told, ["assignment_removed match: - → -"]);
}

#[test]
fn a_match_that_was_called_off_and_went_is_told_to_be_called_off() {
    let called_off = Some(with(json!({"installd": true})));
    let told = told_of(&[Some(with(json!({}))), called_off, None]);
    assert_eq!(
        told,
        [
            "cancellation cancelled: false → true",
            "assignment_removed match: - → -"
        ]
    );
}

#[test]
fn the_most_urgent_of_what_is_left_counts() {
    let (first, second) = (with(json!({})), with(json!({"speldatum": "2027-05-01"})));
    let third = with(json!({"speldatum": "2027-05-20"}));
    let message = chain(&[Some(first), Some(second), Some(third)]).unwrap();
    assert_eq!(message.priority, Priority::Critical);
}

#[test]
fn an_id_and_a_name_of_one_thing_are_told_as_one() {
    let id = Some(with(json!({"anlaggningid": 99})));
    let name = Some(with(
        json!({"anlaggningid": 99, "anlaggningnamn": "Vallen 2"}),
    ));
    let told = told_of(&[Some(with(json!({}))), id, name]);
    assert_eq!(told, ["venue_change venue: Vallen 1 → Vallen 2"]);
}

fn match_on(id: i64, date: &str) -> Message {
    let before = with(json!({"matchid": id, "speldatum": date, "anlaggningnamn": "A"}));
    let now = with(json!({"matchid": id, "speldatum": date}));
    Message::changes(Language::Swedish, step(Some(&before), Some(&now)).unwrap())
}

/// The matches of the digest that these messages make one after the other.
fn order(messages: impl IntoIterator<Item = Message>) -> Vec<i64> {
    let digest = messages
        .into_iter()
        .reduce(|older, newer| Message::merged(older, newer).unwrap());
    let digest = digest.unwrap();
    assert_eq!(digest.kind, MessageKind::Digest);
    digest.matches.iter().map(|m| m.match_id).collect()
}

#[test]
fn a_digest_that_grows_begins_with_what_matters_most_and_merges_what_is_of_one_match() {
    let back = step(
        Some(&with(json!({"matchid": 4}))),
        Some(&with(json!({"matchid": 4, "anlaggningnamn": "A"}))),
    );
    let urgent = step(
        Some(&with(json!({"matchid": 5, "speldatum": "2027-06-20"}))),
        Some(&with(
            json!({"matchid": 5, "speldatum": "2027-06-20", "installd": true}),
        )),
    );
    let ids = order([
        match_on(1, ""),
        match_on(2, "2027-05-20"),
        match_on(3, "2027-05-11"),
        match_on(4, "2027-05-11"),
        Message::changes(Language::Swedish, back.unwrap()),
        Message::changes(Language::Swedish, urgent.unwrap()),
    ]);
    assert_eq!(ids, [5, 3, 2, 1]);
}

fn alert(kind: AlertKind, since: &str, until: Option<&str>) -> Message {
    let alert = AlertNews {
        kind,
        subject: None,
        since: since.to_owned(),
        until: until.map(str::to_owned),
        count: None,
        detail: String::new(),
    };
    Message::alert(Language::English, Priority::High, alert)
}

#[test]
fn an_alert_that_was_over_in_time_is_not_told() {
    let on = alert(AlertKind::ListUnreachable, "1", None);
    let over = alert(AlertKind::ListUnreachable, "1", Some("2"));
    assert_eq!(over.kind, MessageKind::Recovery);
    assert_eq!(Message::merged(on.clone(), over.clone()), None);
    let heard = Message::merged_after(on.clone(), over.clone(), true);
    assert_eq!(heard, Some(over.clone()));
    let again = alert(AlertKind::ListUnreachable, "3", None);
    assert_eq!(Message::merged(over, again.clone()), Some(again.clone()));
    assert_eq!(Message::merged(on.clone(), again), Some(on));
}

#[test]
fn alerts_of_different_kinds_are_told_together() {
    let on = alert(AlertKind::ListUnreachable, "1", None);
    let over = alert(AlertKind::DeadLetters, "1", Some("2"));
    let both = Message::merged(over, on).unwrap();
    assert_eq!((both.kind, both.alerts.len()), (MessageKind::Alert, 2));
}

#[test]
fn a_test_message_gives_way_to_a_real_one() {
    let (test, real) = (Message::test(Language::Swedish), match_on(1, "2027-05-11"));
    assert_eq!(
        Message::merged(test.clone(), real.clone()),
        Some(real.clone())
    );
    assert_eq!(Message::merged(real.clone(), test.clone()), Some(real));
    assert_eq!(Message::merged(test.clone(), test.clone()), Some(test));
}
