//! The JSON file of the service that this program replaces.

use serde_json::{Value, json};

use super::super::Config;
use super::tests::load;
use super::*;
use crate::domain::change::{Category, Priority};
use crate::domain::routing::{Pace, Role};
use crate::domain::schedule::QuietHours;

const SMTP: &str = "[smtp]\nhost='localhost'\nfrom='news@example.org'\n";

/// Loads a file with these stakeholders beside a document.
fn load_file(document: &str, file: &Value) -> Result<Config, Vec<(String, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stakeholders.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let path = path.to_str().unwrap();
    let pairs = [(NAME, document), (LEGACY, path)];
    load(&pairs[usize::from(document.is_empty())..]).map_err(|errors| {
        let told = errors.0.into_iter().map(|one| (one.name, one.problem));
        told.collect()
    })
}

fn good(document: &str, file: &Value) -> Config {
    load_file(document, file).unwrap()
}

fn problems(document: &str, stakeholders: Value) -> Vec<String> {
    let file = json!({"version": "1.0", "stakeholders": stakeholders});
    let problems = load_file(document, &file).unwrap_err();
    problems.into_iter().map(|(_, problem)| problem).collect()
}

/// As the service writes one.
fn written(id: &str) -> Value {
    json!({
        "stakeholder_id": id,
        "name": "Anna Kanarievinge",
        "role": "referee",
        "fogis_person_id": "501",
        "contact_info": [
            {"channel": "email", "address": "anna@example.org", "verified": false, "active": true,
             "created_at": "2025-01-01T00:00:00", "last_verified": null},
        ],
        "preferences": {
            "enabled_channels": ["email"],
            "enabled_change_types": ["new_assignment", "cancellation"],
            "minimum_priority": "high",
            "quiet_hours_start": "22:00",
            "quiet_hours_end": "07:00",
            "timezone": "UTC",
            "digest_mode": true,
            "digest_frequency": "hourly"
        },
        "created_at": "2025-01-01T00:00:00", "updated_at": "2025-01-01T00:00:00",
        "active": true,
        "metadata": {}
    })
}

fn with(mut one: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut one);
    one
}

#[test]
fn a_file_as_the_service_writes_it() {
    let bare = json!({"stakeholder_id": "bo", "role": "coordinator", "fogis_person_id": null,
        "contact_info": [{"channel": "email", "address": "bo@example.org"}]});
    let off = with(written("off"), |one| one["active"] = json!(false));
    let file = json!({"version": "1.0", "stakeholders": [written("anna"), bare, off]});
    let config = good(SMTP, &file);
    assert_eq!(config.private_warnings, [""; 0]);
    let routing = &config.notifications.routing;
    let anna = routing.stakeholder("anna").unwrap();
    assert_eq!(
        (anna.role, anna.identity.person_id),
        (Role::Referee, Some(501))
    );
    assert_eq!((anna.minimum, anna.pace), (Priority::High, Pace::Hourly));
    let wanted = [Category::NewAssignment, Category::Cancellation];
    assert_eq!(anna.categories.as_deref(), Some(&wanted[..]));
    assert_eq!(Some(&anna.quiet), QuietHours::parse("22:00-07:00").as_ref());
    assert_eq!(anna.zone, TimeZone::UTC);
    assert_eq!(anna.mail.as_deref(), Some("anna@example.org"));
    assert_eq!(anna.channels, ["mail"]);
    assert!(!routing.stakeholder("off").unwrap().is_active);
    // What it does not say is as that service has it, but for the time zone.
    let bo = routing.stakeholder("bo").unwrap();
    assert_eq!(
        (bo.role, bo.minimum, bo.pace),
        (Role::Coordinator, Priority::Medium, Pace::Immediate)
    );
    assert_eq!(bo.categories.as_ref().map(Vec::len), Some(6));
    assert_eq!(bo.zone.iana_name(), Some("Europe/Stockholm"));
    assert!(bo.quiet.is_empty() && bo.is_active);
}

#[test]
fn a_digest_is_wanted_only_in_digest_mode() {
    for (mode, frequency, pace) in [
        (false, "daily", Pace::Immediate),
        (true, "immediate", Pace::Immediate),
        (true, "daily", Pace::Daily(people::DIGEST_AT)),
    ] {
        let one = with(written("anna"), |one| {
            one["preferences"]["digest_mode"] = json!(mode);
            one["preferences"]["digest_frequency"] = json!(frequency);
        });
        let config = good(SMTP, &json!({"stakeholders": [one]}));
        assert_eq!(
            config
                .notifications
                .routing
                .stakeholder("anna")
                .unwrap()
                .pace,
            pace
        );
    }
}

#[test]
fn a_file_like_the_template() {
    let one = |id: &str, role: &str, channels: Value, types: Value| {
        json!({"id": id, "name": "X", "email": format!("{id}@example.org"), "role": role,
            "active": true, "contact_info": {"phone": "1"},
            "preferences": {"channels": channels, "notification_types": types,
                "priority_filter": "low", "immediate_delivery": false, "digest_frequency": "daily",
                "quiet_hours": {"enabled": true, "start": "20:00", "end": "08:00"}},
            "metadata": {"timezone": "Europe/Helsinki"}})
    };
    let assignments = json!(["referee_assignments"]);
    let both = json!(["match_changes", "referee_assignments", "system_alerts"]);
    let mut now = one(
        "cia",
        "RefereeCoordinator",
        json!(["email", "discord"]),
        both,
    );
    now["preferences"]["immediate_delivery"] = json!(true);
    now["preferences"]["quiet_hours"]["enabled"] = json!(false);
    let file = json!({
        "stakeholders": [one("anna", "Referee", json!(["email"]), assignments), now,
            one("ove", "SystemAdmin", json!(["email"]), json!(["system_alerts"]))],
        "groups": [{"id": "all", "name": "All", "members": ["anna", "cia"], "default_preferences": {}}],
        "notification_rules": [{"id": "a"}],
    });
    let document = format!(
        "{SMTP}[[channel]]\nname='wall'\nkind='discord'\nurl='https://d.example/x'\n\
                            [[rule]]\nname='r'\nnotify=['group:all']\n"
    );
    let config = good(&document, &file);
    assert_eq!(
        config.private_warnings.len(),
        1,
        "{:?}",
        config.private_warnings
    );
    assert!(
        config.private_warnings[0].starts_with("STAKEHOLDERS_FILE: notification_rules is left out")
    );
    let routing = &config.notifications.routing;
    let anna = routing.stakeholder("anna").unwrap();
    assert_eq!(
        (anna.role, anna.pace),
        (Role::Referee, Pace::Daily(people::DIGEST_AT))
    );
    assert_eq!(Some(&anna.quiet), QuietHours::parse("20:00-08:00").as_ref());
    assert_eq!(anna.zone.iana_name(), Some("Europe/Helsinki"));
    assert_eq!(anna.minimum, Priority::Low);
    assert_eq!(anna.categories.as_ref().map(Vec::len), Some(3));
    let cia = routing.stakeholder("cia").unwrap();
    assert_eq!((cia.role, cia.pace), (Role::Coordinator, Pace::Immediate));
    assert_eq!(cia.channels, ["mail", "wall"]);
    assert!(cia.quiet.is_empty());
    assert_eq!(
        cia.categories.as_ref().map(Vec::len),
        Some(Category::ALL.len())
    );
    let ove = routing.stakeholder("ove").unwrap();
    assert_eq!(
        (ove.role, ove.categories.as_deref()),
        (Role::Operator, Some(&[][..]))
    );
}

#[test]
fn an_address_that_is_a_url_is_a_channel_that_all_who_have_it_share() {
    let hook = |id: &str, channel: &str, url: &str| {
        with(written(id), |one| {
            one["preferences"]["enabled_channels"] = json!(["email", channel]);
            let contact = json!({"channel": channel, "address": url});
            one["contact_info"].as_array_mut().unwrap().push(contact);
        })
    };
    let url = "https://d.example/kanariefagel";
    let file = json!({"stakeholders": [
        hook("anna", "discord", url),
        hook("bo", "discord", url),
        hook("cia", "discord", &format!("{url}2")),
        hook("dan", "webhook", url),
        hook("eva", "sms", "+46 70"),
    ]});
    let config = good(SMTP, &file);
    let routing = &config.notifications.routing;
    let of = |id: &str| routing.stakeholder(id).unwrap().channels[1..].join(",");
    assert_eq!(of("anna"), "anna.discord");
    assert_eq!(of("bo"), "anna.discord");
    assert_eq!(of("cia"), "cia.discord");
    assert_eq!(of("dan"), "dan.webhook");
    assert_eq!(of("eva"), "");
    assert_eq!(config.notifications.channels.len(), 3);
    let told = config.private_warnings.join("\n");
    assert!(
        told.contains("stakeholder eva: cannot be told by \"sms\""),
        "{told}"
    );
    assert!(
        told.contains("channel dan.webhook: has no secret"),
        "{told}"
    );
    let shown = format!("{config:?}{}", config.effective_table());
    assert!(
        !shown.contains("kanariefagel") && !told.contains("kanariefagel"),
        "{told}"
    );
}

#[test]
fn an_address_that_a_channel_of_the_document_has_too_is_odd() {
    let url = "https://d.example/kanariefagel";
    let anna = with(written("anna"), |one| {
        one["contact_info"] = json!([{"channel": "discord", "address": url}]);
        one["preferences"]["enabled_channels"] = json!(["discord"]);
    });
    let document = format!(
        "[[channel]]\nname='wall'\nkind='discord'\nurl='{url}'\n\
         [[stakeholder]]\nid='kim'\nrole='coordinator'\nchannels='wall'\n"
    );
    let config = good(&document, &json!({ "stakeholders": [anna] }));
    let expected = "NOTIFICATIONS: channel anna.discord: leads to the same receiver as channel wall, \
                    which gets all that goes by both twice; have everybody use one of them";
    assert_eq!(config.private_warnings, [expected]);
}

#[test]
fn a_webhook_that_can_never_be_called_is_a_mistake() {
    let at = |address: &str| {
        with(written("dan"), |one| {
            one["contact_info"] = json!([{"channel": "webhook", "address": address}]);
            one["preferences"]["enabled_channels"] = json!(["webhook"]);
        })
    };
    let found = problems("", json!([at("http://192.168.0.7/kanariefagel")]));
    let expected = "stakeholder dan: the address for webhook is none of the public internet, which is \
                    never called; if it is meant, leave it empty here and add a [[channel]] with it and \
                    allow_private = true to NOTIFICATIONS";
    assert_eq!(found, [expected]);
    // As it says.
    let document = "[[channel]]\nname='near'\nkind='webhook'\nurl='http://192.168.0.7/x'\n\
                    allow_private=true\n";
    let config = good(document, &json!({ "stakeholders": [at("")] }));
    assert_eq!(
        config
            .notifications
            .routing
            .stakeholder("dan")
            .unwrap()
            .channels,
        ["near"]
    );
}

#[test]
fn those_whom_nothing_reaches_are_told_nothing() {
    let bare = with(written("bare"), |one| one["contact_info"] = json!([]));
    let off = with(written("off"), |one| {
        one["contact_info"][0]["active"] = json!(false);
    });
    let gone = with(written("gone"), |one| {
        one["active"] = json!(false);
        one["contact_info"] = json!([]);
    });
    let alone = good(
        SMTP,
        &json!({"stakeholders": [bare, gone, written("anna")]}),
    );
    let expected = "STAKEHOLDERS_FILE: stakeholder bare has no address that can be used, and is told \
                    nothing";
    assert_eq!(
        alone.private_warnings,
        [expected],
        "who is not active is meant not to be told"
    );
    let public = alone.public_warnings();
    assert_eq!(
        public,
        ["one thing about stakeholders or channels is odd: check-config tells it"]
    );
    let many = (0..12).map(|n| {
        with(written(&format!("p{n}")), |one| {
            one["contact_info"] = json!([]);
        })
    });
    let many: Vec<_> = many.collect();
    let told = good(SMTP, &json!({"stakeholders": many}))
        .private_warnings
        .join("\n");
    assert!(
        told.contains("12 stakeholders") && told.contains("p8, p9 and 2 more\n"),
        "{told}"
    );
    let config = good(SMTP, &json!({"stakeholders": [bare, off, written("anna")]}));
    let expected = "STAKEHOLDERS_FILE: 2 stakeholders have no address that can be used, and are told \
                    nothing: bare, off";
    assert_eq!(config.private_warnings, [expected]);
    let is_active = |id: &str| {
        config
            .notifications
            .routing
            .stakeholder(id)
            .unwrap()
            .is_active
    };
    assert_eq!(
        [is_active("bare"), is_active("off"), is_active("anna")],
        [false, false, true]
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 14] = [
        (
            |one| one["role"] = json!("judge"),
            "stakeholder anna: role is \"judge\"; it must be referee, ",
        ),
        (
            |one| one["role"] = json!(""),
            "stakeholder anna: role is \"\"; it must be referee, ",
        ),
        (
            |one| one["stakeholder_id"] = json!("a b"),
            "stakeholder 1: stakeholder_id must be 1 to 64 of ",
        ),
        (
            |one| one["preferences"]["timezone"] = json!("Mars/X"),
            "stakeholder anna: timezone is \"Mars/X\"; ",
        ),
        (
            |one| one["fogis_person_id"] = json!("P1"),
            "stakeholder anna: fogis_person_id must be a positive number",
        ),
        (
            |one| one["preferences"]["quiet_hours_end"] = json!(null),
            "stakeholder anna: quiet hours must have a start and an end",
        ),
        (
            |one| one["preferences"]["quiet_hours_end"] = json!("7am"),
            "stakeholder anna: quiet hours must have a start and an end",
        ),
        (
            |one| one["preferences"]["minimum_priority"] = json!("urgent"),
            "stakeholder anna: minimum_priority is \"urgent\"; ",
        ),
        (
            |one| one["preferences"]["digest_frequency"] = json!("weekly"),
            "stakeholder anna: digest_frequency is \"weekly\"; ",
        ),
        (
            |one| one["preferences"]["enabled_change_types"] = json!(["x"]),
            "stakeholder anna: enabled_change_types has \"x\"; ",
        ),
        (
            |one| one["preferences"]["enabled_channels"] = json!("email"),
            "stakeholder anna: enabled_channels must be a list of texts",
        ),
        (
            |one| one["contact_info"][0]["address"] = json!("anna.example"),
            "stakeholder anna: the address for email must be one",
        ),
        (
            |one| {
                one["preferences"]["enabled_channels"] = json!(["discord"]);
                one["contact_info"][0] = json!({"channel": "discord", "address": "kanariefagel"});
            },
            "stakeholder anna: the address for discord must be an http or https URL",
        ),
        (
            |one| {
                one["preferences"]["enabled_channels"] = json!(["discord"]);
                one["contact_info"][0] = json!({"channel": "discord", "address": ""});
            },
            "stakeholder anna: is told by discord without an address; add a [[channel]] of kind discord",
        ),
    ];
    for (change, expected) in cases {
        let found = problems(SMTP, json!([with(written("anna"), change)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn both_files_are_checked_as_a_whole() {
    let document =
        format!("{SMTP}[[stakeholder]]\nid='anna'\nrole='judge'\nmail='anna@example.org'\n");
    let file = json!({"stakeholders": [written("anna"), with(written("bo"), |one| one["role"] = json!("x"))],
        "groups": [{"id": "g", "members": ["dan"]}, {"id": "h"}]});
    let found = load_file(&document, &file).unwrap_err();
    let expected = [
        (LEGACY, "stakeholder bo: role is \"x\"; "),
        (LEGACY, "group 2: must have an \"id\" and a list "),
        (NAME, "stakeholder anna: role is \"judge\"; "),
        (NAME, "stakeholder anna: another stakeholder has this id"),
        (NAME, "group g: there is no stakeholder dan"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((name, told), (expected_name, start)) in found.iter().zip(expected) {
        // The file is named beside its variable.
        assert_eq!(name.split(' ').next(), Some(expected_name));
        assert_eq!(
            name.ends_with("/stakeholders.json)"),
            expected_name == LEGACY
        );
        assert!(told.starts_with(start), "{told}");
    }
    // Without a document there is no mail server.
    let found = load_file("", &json!({"stakeholders": [written("anna")]})).unwrap_err();
    let told = "stakeholder anna: is told by mail, and there is no server; add [smtp]";
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.starts_with("STAKEHOLDERS_FILE (/"), "{found:?}");
    assert_eq!(found[0].1, told);
}

#[test]
fn what_is_no_such_file_is_told() {
    for (content, expected) in [
        (
            "{\"stakeholders\": [\n kanariefagel",
            "is no JSON object: line 2, column ",
        ),
        ("[]", "is no JSON object: line 1, column "),
        ("{\"stakeholders\": {}}", "has no list \"stakeholders\""),
        ("{}", "has no list \"stakeholders\""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stakeholders.json");
        std::fs::write(&path, content).unwrap();
        let errors = load(&[(LEGACY, path.to_str().unwrap())]).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].name, format!("{LEGACY} ({})", path.display()));
        assert!(errors.0[0].problem.starts_with(expected), "{errors}");
        assert!(!errors.to_string().contains("kanariefagel"), "{errors}");
    }
    let errors = load(&[(LEGACY, "/nowhere/stakeholders.json")]).unwrap_err();
    assert!(
        errors.0[0]
            .problem
            .starts_with("/nowhere/stakeholders.json cannot be read: ")
    );
}
