//! What a document says is what takes effect, and nothing secret of it is shown.

use std::path::Path;

use proptest::prelude::*;

use super::super::{Config, ConfigErrors, Source};
use super::*;
use crate::auth::{Key, Scheme, Validity, sign_with_all};
use crate::domain::change::{Category, Priority, Stakeholder as Audience};
use crate::domain::delivery::Lane;
use crate::domain::routing::{Pace, Role, Target, Then};

pub(super) fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let source = Source::layered(pairs.iter().copied(), Path::new("/nowhere/.env"));
    Config::load(&source)
}

/// Every mistake in a document.
pub(super) fn problems(document: &str) -> Vec<String> {
    let Err(errors) = load(&[(NAME, document)]) else {
        return Vec::new();
    };
    let problems = errors.0.into_iter().map(|mistake| {
        assert_eq!(mistake.name, NAME);
        mistake.problem
    });
    problems.collect()
}

/// Invented, and nothing else of the document is in the words that it is made of.
const SECRETS: [&str; 6] = [
    "hemligt-losenord-som-ingen-gissar",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp",
    "kanariefagel-discord",
    "kanariefagel-hook",
    "kanariefagel-topic-som-ingen-gissar",
    "tk_kanariefagel_som_ingen_gissar",
];

const WHOLE: &str = r#"
language = "en"
time_zone = "Europe/Helsinki"

[smtp]
host = "mail.example.org"
user = "matchnytt"
password = "hemligt-losenord-som-ingen-gissar"
from = "Matchnytt <news@example.org>"

[[channel]]
name = "ops"
kind = "discord"
url = "https://discord.example/kanariefagel-discord"

[[channel]]
name = "hook"
kind = "webhook"
url = "https://hook.example/kanariefagel-hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp"
allow_private = true

[[channel]]
name = "phone"
kind = "ntfy"
topic = "kanariefagel-topic-som-ingen-gissar"
token = "tk_kanariefagel_som_ingen_gissar"
language = "sv"

[[stakeholder]]
id = "anna"
name = "Anna Kanarievinge"
role = "referee"
referee_id = 101
person_id = "501"
referee_number = "A-9"
mail = "anna@example.org"
channels = ["mail", "ops"]
language = "sv"
time_zone = "America/New_York"
quiet_hours = "22:00-07:00"
minimum_priority = "low"
digest = "daily"
digest_at = "06:30"
categories = ["time_change", "cancellation"]

[[stakeholder]]
id = "club"
role = "team"
club_id = 11
team_id = 1
mail = "club@example.org"
digest = "hourly"
active = false

[[stakeholder]]
id = "ove"
role = "operator"
channels = "phone"

[[group]]
id = "board"
members = ["anna", "ove"]

[[rule]]
name = "finals"
categories = ["time_change", "date_change"]
priorities = ["critical", "high"]
referees = [101]
clubs = 11
competitions = [4, "5"]
stakeholders = ["referees"]
notify = ["group:board", "club"]
channels = ["hook"]
instead = true

[[rule]]
name = "hush"
competitions = [6]
skip = true
"#;

fn with_role<'a>(config: &'a NotificationsConfig, id: &str) -> &'a Stakeholder {
    config.routing.stakeholder(id).unwrap()
}

#[test]
fn stakeholders_are_as_the_document_says() {
    let config = load(&[(NAME, WHOLE)]).unwrap().notifications;
    let anna = with_role(&config, "anna");
    assert_eq!((anna.role, anna.is_active), (Role::Referee, true));
    assert_eq!(anna.name, "Anna Kanarievinge");
    let identity = &anna.identity;
    let ids = (identity.referee_id, identity.person_id);
    assert_eq!(ids, (Some(101), Some(501)));
    assert_eq!(identity.referee_number.as_deref(), Some("A-9"));
    assert_eq!(anna.channels, ["mail", "ops"]);
    assert_eq!(anna.language, Language::Swedish);
    assert_eq!(anna.zone.iana_name(), Some("America/New_York"));
    assert_eq!(
        Some(&anna.quiet),
        crate::domain::schedule::QuietHours::parse("22:00-07:00").as_ref()
    );
    assert_eq!(anna.minimum, Priority::Low);
    assert_eq!(anna.pace, Pace::Daily(jiff::civil::time(6, 30, 0, 0)));
    let wanted = [Category::TimeChange, Category::Cancellation];
    assert_eq!(anna.categories.as_deref(), Some(&wanted[..]));
    assert_eq!(config.routing.address("anna"), Some("anna@example.org"));

    let club = with_role(&config, "club");
    assert_eq!(
        (club.identity.club_id, club.identity.team_id),
        (Some(11), Some(1))
    );
    assert_eq!((club.pace, club.is_active), (Pace::Hourly, false));
    // What it does not say is as above, and by mail.
    assert_eq!(club.channels, ["mail"]);
    assert_eq!(club.language, Language::English);
    assert_eq!(club.zone.iana_name(), Some("Europe/Helsinki"));
    assert!(club.quiet.is_empty() && club.categories.is_none());
    assert_eq!(club.minimum, Priority::Medium);

    let ove = with_role(&config, "ove");
    assert_eq!(
        (ove.pace, ove.channels.as_slice()),
        (Pace::Immediate, &["phone".to_owned()][..])
    );
    assert_eq!(ove.mail, None);
}

#[test]
fn channels_are_as_the_document_says() {
    let config = load(&[(NAME, WHOLE)]).unwrap().notifications;
    let smtp = config.smtp.as_ref().unwrap();
    assert_eq!((smtp.host.as_str(), smtp.port), ("mail.example.org", 587));
    assert_eq!(smtp.security, Security::Starttls);
    assert_eq!(smtp.from, "Matchnytt <news@example.org>");
    let (user, password) = smtp.login.as_ref().unwrap();
    assert_eq!(
        (user.expose(), password.expose()),
        ("matchnytt", SECRETS[0])
    );
    let lanes: Vec<_> = config
        .routing
        .channels()
        .iter()
        .map(Channel::lane)
        .collect();
    let expected = ["mail", "discord:ops", "webhook:hook", "ntfy:phone"];
    assert_eq!(lanes, expected.map(|key| Lane::from_key(key).unwrap()));
    let languages: Vec<_> = config
        .routing
        .channels()
        .iter()
        .map(|one| one.language)
        .collect();
    let en = Language::English;
    assert_eq!(languages, [en, en, en, Language::Swedish]);
    let [ops, hook, phone] = config.channels.as_slice() else {
        panic!("{config:?}")
    };
    assert_eq!(
        [&*ops.name, &*hook.name, &*phone.name],
        ["ops", "hook", "phone"]
    );
    let Way::Discord { url } = &ops.way else {
        panic!("{ops:?}")
    };
    assert_eq!(url.as_str(), "https://discord.example/kanariefagel-discord");
    let Way::Webhook {
        url,
        keys,
        allow_private,
    } = &hook.way
    else {
        panic!("{hook:?}")
    };
    assert_eq!(url.as_str(), "https://hook.example/kanariefagel-hook");
    let scheme = Scheme::StandardWebhooks;
    let key = Key::new(scheme, "a", SECRETS[1], Validity::default()).unwrap();
    let signed = |keys: &[Key]| sign_with_all(keys, "id", b"body", 0.0);
    assert_eq!((keys.len(), signed(keys)), (1, signed(&[key])));
    assert!(allow_private);
    let Way::Ntfy { url, topic, token } = &phone.way else {
        panic!("{phone:?}")
    };
    assert_eq!(
        (url.as_str(), topic.expose()),
        ("https://ntfy.sh/", SECRETS[4])
    );
    assert_eq!(token.as_ref().unwrap().expose(), SECRETS[5]);
}

#[test]
fn rules_and_groups_are_as_the_document_says() {
    let (mut problems, mut files) = (Vec::new(), Files::default());
    let mut defaults = Defaults {
        language: Language::Swedish,
        zone: TimeZone::UTC,
    };
    let document = Document::read(WHOLE, &mut defaults, &mut files, &mut problems);
    assert_eq!(problems, [""; 0]);
    let members = ["anna", "ove"].map(str::to_owned).to_vec();
    assert_eq!(
        document.groups,
        [Group {
            id: "board".to_owned(),
            members
        }]
    );
    let expected = Rule {
        name: "finals".to_owned(),
        categories: vec![Category::TimeChange, Category::DateChange],
        priorities: vec![Priority::Critical, Priority::High],
        referees: vec![101],
        clubs: vec![11],
        competitions: vec![4, 5],
        audiences: vec![Audience::Referees],
        then: Then::Notify {
            targets: vec![
                Target::Group("board".to_owned()),
                Target::Stakeholder("club".to_owned()),
            ],
            channels: Some(vec!["hook".to_owned()]),
            instead: true,
        },
    };
    assert_eq!(document.rules[0], expected);
    assert_eq!(document.rules[1].then, Then::Skip);
}

#[test]
fn nothing_secret_and_nobodys_address_is_shown() {
    let config = load(&[(NAME, WHOLE)]).unwrap();
    let shown = format!(
        "{}{config:?}{:?}",
        config.effective_table(),
        (&config.warnings, &config.private_warnings)
    );
    for hidden in SECRETS.iter().chain(&["@example.org", "Kanarievinge"]) {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    let table = config.effective_table();
    assert!(
        table.contains("3 stakeholders, 4 channels, 2 rules"),
        "{table}"
    );
    // Nor of a document with mistakes all over.
    let broken = WHOLE
        .replace("kind = ", "knd = ")
        .replace("referee", "judge")
        .replace("host", "hots")
        .replace("whsec_", "whsek_")
        .replace("anna@example", "kanariefagel@@example")
        .replace("[\"anna\", \"ove\"]", "[\"kanariefagel@example.org\"]")
        .replace("https:", "gopher:");
    let errors = load(&[(NAME, &broken)]).unwrap_err();
    assert!(errors.0.len() > 10, "{errors}");
    let told = format!("{errors} {}", errors.in_one_line());
    for hidden in [
        "kanariefagel",
        "Kanarievinge",
        "hemligt",
        "MfKQ9r8",
        ".example/",
    ] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
}

#[test]
fn secrets_may_stand_in_files_which_count_as_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let put = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    put("url", "https://discord.example/a\n");
    put("password", "hemligt\n");
    put("one", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp\n");
    put("two", "whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp\n");
    put("token", "tk_a\n");
    let document = format!(
        "[smtp]\nhost='h'\nfrom='a@b.example'\nuser='u'\npassword_file='{}'\n\
         [[channel]]\nname='a'\nkind='discord'\nurl_file='{}'\n\
         [[channel]]\nname='b'\nkind='webhook'\nurl='https://b.example'\nsecret_file=['{}','{}']\n\
         [[channel]]\nname='c'\nkind='ntfy'\ntopic='t'\nurl='http://n.example'\ntoken_file='{}'\n",
        path("password"),
        path("url"),
        path("one"),
        path("two"),
        path("token"),
    );
    put("all.toml", &document);
    let file = path("all.toml");
    let load_it = || load(&[("NOTIFICATIONS_FILE", &file)]).unwrap();
    let config = load_it();
    let channels = &config.notifications.channels;
    let Way::Discord { url } = &channels[0].way else {
        panic!()
    };
    assert_eq!(url.as_str(), "https://discord.example/a");
    let Way::Webhook { keys, .. } = &channels[1].way else {
        panic!()
    };
    assert_eq!(keys.len(), 2);
    let Way::Ntfy { token, .. } = &channels[2].way else {
        panic!()
    };
    assert_eq!(token.as_ref().unwrap().expose(), "tk_a");
    assert_eq!(
        config
            .notifications
            .smtp
            .as_ref()
            .unwrap()
            .login
            .as_ref()
            .unwrap()
            .1
            .expose(),
        "hemligt"
    );
    // The document and five files.
    let ours = config
        .files()
        .iter()
        .filter(|file| file.starts_with(folder.path()))
        .count();
    assert_eq!(ours, 6);
    let table = config.effective_table();
    assert!(
        table.contains("all.toml (0 stakeholders, 4 channels, 0 rules)"),
        "{table}"
    );
    put("two", "whsec_BBBQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp\n");
    assert_eq!(config.changes(&load_it()), ["NOTIFICATIONS_FILE"]);
    for (name, told) in [
        ("two", "secret_file: "),
        ("url", "url_file: "),
        ("password", "password_file: "),
    ] {
        let before = std::fs::read(path(name)).unwrap();
        put(name, " \n");
        let errors = load(&[("NOTIFICATIONS_FILE", &file)]).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        let expected = format!("{told}{} is empty", path(name));
        assert!(errors.0[0].problem.ends_with(&expected), "{errors}");
        std::fs::write(path(name), before).unwrap();
    }
}

#[test]
fn without_settings_nobody_is_told() {
    let config = load(&[]).unwrap();
    assert!(config.notifications.routing.is_empty());
    assert!(config.notifications.routing.channels().is_empty());
    assert!(config.public_warnings().is_empty());
}

#[test]
fn what_is_odd_is_a_warning() {
    let document = "[[channel]]\nname='hook'\nkind='webhook'\nurl='https://b.example'\n\
                    [[stakeholder]]\nid='anna'\nrole='referee'\nchannels='hook'\n\
                    [[channel]]\nname='spare'\nkind='ntfy'\ntopic='t'\n";
    let config = load(&[(NAME, document)]).unwrap();
    assert_eq!(
        config.public_warnings(),
        ["3 things about stakeholders or channels are odd: check-config tells them"],
        "an id may be somebody's name"
    );
    assert_eq!(
        config.private_warnings,
        [
            "NOTIFICATIONS: channel spare: nobody uses it",
            "NOTIFICATIONS: stakeholder anna: is a referee with none of referee_id, person_id and \
             referee_number, and no rule names it: nothing reaches it",
            "NOTIFICATIONS: channel hook: has no secret, so that nobody can tell who calls",
        ]
    );
}

#[test]
fn a_receiver_of_two_channels_is_odd() {
    let document = |first: &str, second: &str| {
        format!(
            "[[channel]]\nname='one'\n{first}\n[[channel]]\nname='two'\n{second}\n\
             [[stakeholder]]\nid='kim'\nrole='coordinator'\nchannels=['one', 'two']\n"
        )
    };
    let twice = "NOTIFICATIONS: channel two: leads to the same receiver as channel one, which gets all \
                 that goes by both twice; have everybody use one of them";
    let (discord, hook) = (
        "kind='discord'\nurl='https://d.example/kanariefagel'",
        "kind='webhook'\nurl='https://d.example/kanariefagel'",
    );
    let topic = "kind='ntfy'\ntopic='kanariefagel'";
    for (first, second, is_same) in [
        (discord, discord, true),
        (hook, hook, true),
        (
            topic,
            "kind='ntfy'\ntopic='kanariefagel'\nurl='https://ntfy.sh/'\ntoken='t'",
            true,
        ),
        (discord, hook, false),
        (
            discord,
            "kind='discord'\nurl='https://d.example/other'",
            false,
        ),
        (discord, &format!("{discord}\nlanguage='en'"), false),
        (topic, "kind='ntfy'\ntopic='other'", false),
        (
            topic,
            "kind='ntfy'\ntopic='kanariefagel'\nurl='https://n.example'",
            false,
        ),
    ] {
        let config = load(&[(NAME, &document(first, second))]).unwrap();
        let found = config.private_warnings.iter().any(|odd| odd == twice);
        assert_eq!(
            found, is_same,
            "{first} {second}: {:?}",
            config.private_warnings
        );
    }
}

#[test]
fn mail_servers_have_the_usual_ports() {
    for (more, expected) in [
        ("", (587, Security::Starttls)),
        ("security='tls'", (465, Security::Tls)),
        ("security='none'", (25, Security::None)),
        ("security='tls'\nport=2465", (2465, Security::Tls)),
    ] {
        let document = format!("[smtp]\nhost='h'\nfrom='a@b.example'\n{more}");
        let smtp = load(&[(NAME, &document)])
            .unwrap()
            .notifications
            .smtp
            .unwrap();
        assert_eq!((smtp.port, smtp.security), expected);
        assert!(smtp.login.is_none());
    }
}

#[test]
fn the_example_in_the_documentation_is_accepted_and_odd_in_nothing() {
    let page = include_str!("../../../docs/notifications.md");
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in [
        ("smtp-password", "hemligt-losenord-som-ingen-gissar"),
        ("discord-ops", "https://discord.example/kanariefagel"),
        ("hook-old", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp"),
        ("hook-new", "whsec_AAAQ9r8GKYqrTwjUPD8ILPZIo2LaLjUp"),
        ("ntfy-token", "tk_kanariefagel_som_ingen_gissar"),
    ] {
        std::fs::write(folder.path().join(name), secret).unwrap();
    }
    let secrets = format!("{}/", folder.path().display());
    let document = example.replace("/run/secrets/", &secrets);
    let config = load(&[(NAME, &document)]).unwrap();
    assert_eq!(config.public_warnings(), [""; 0]);
    let summary = config.notifications.summary();
    assert_eq!(summary, "5 stakeholders, 4 channels, 2 rules");
    assert!(page.contains("1,000 stakeholders, 100 channels, 200 groups and 200 rules"));
}

proptest! {
    /// Whatever of a document is broken, its mistakes are told without what must not be shown.
    #[test]
    fn a_broken_document_shows_no_secret(
        at in 0..WHOLE.len(),
        length in 0..20_usize,
        instead in prop::sample::select(vec!["", "\"", "'", "=", "[", "]", "\n", "x", "#", "1", "\\"]),
    ) {
        let end = (at + length).min(WHOLE.len());
        prop_assume!(WHOLE.is_char_boundary(at) && WHOLE.is_char_boundary(end));
        let document = [&WHOLE[..at], instead, &WHOLE[end..]].concat();
        let told = match load(&[(NAME, &document)]) {
            Ok(config) => format!("{}{config:?}", config.effective_table()),
            Err(errors) => errors.to_string(),
        };
        for hidden in ["hemligt", "kanariefagel", "MfKQ9r8GKYq", "news@", "club@", "Kanarie"] {
            prop_assert!(!told.contains(hidden), "{}: {}", hidden, told);
        }
    }
}

#[test]
fn a_mistake_names_the_file_that_it_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notifications.toml");
    std::fs::write(&path, "[[group]]\nid = \"a\"\n[[rule]]\nname = \"b\"\n").unwrap();
    let shown = path.display().to_string();
    let errors = load(&[("NOTIFICATIONS_FILE", &shown)])
        .unwrap_err()
        .to_string();
    let place = format!("  NOTIFICATIONS_FILE ({shown}): ");
    assert!(
        errors.contains(&format!("{place}group a: members is missing")),
        "{errors}"
    );
    assert!(errors.matches(&place).count() > 1, "{errors}");
    assert_eq!(errors.matches("example: ").count(), 1, "{errors}");

    let relative = load(&[("NOTIFICATIONS_FILE", "notifikations.toml")]).unwrap_err();
    let told = relative.to_string();
    assert!(told.contains("notifikations.toml cannot be read"), "{told}");
    // Somebody takes the one variable for the other.
    let document = "[smtp]\npassword = \"kanariefagel\"";
    let told = load(&[("NOTIFICATIONS_FILE", document)])
        .unwrap_err()
        .to_string();
    assert!(!told.contains("kanariefagel"), "{told}");
}

#[test]
fn a_link_to_a_channel_of_discord_is_no_webhook() {
    let of = |url: &str| {
        let document = format!("[[channel]]\nname = \"team\"\nkind = \"discord\"\nurl = \"{url}\"");
        load(&[(NAME, &document)])
    };
    let told = of("https://discord.com/channels/123/456")
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("channel team: url is a link of Discord's and no webhook"),
        "{told}"
    );
    assert!(
        told.contains("under Integrations") && !told.contains("123"),
        "{told}"
    );
    assert!(of("https://discord.com/api/webhooks/123/abc").is_ok());
}
