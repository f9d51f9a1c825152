//! Each mistake in a document says where it is and what to do, and makes no others.

use super::tests::{load, problems};

/// Everything that the pieces below need.
const AROUND: &str = "
[smtp]
host = 'mail.example.org'
from = 'news@example.org'
[[channel]]
name = 'ops'
kind = 'discord'
url = 'https://discord.example/x'
[[stakeholder]]
id = 'cia'
role = 'coordinator'
mail = 'cia@example.org'
channels = ['mail', 'ops']
";

const OUT_OF_REACH: &str = "channel a: url is an address that is none of the public internet, which is \
    never called; if it is meant, set allow_private = true";

/// The one mistake in these documents, each beside what is right.
fn each(cases: &[(&str, &str)]) {
    for (piece, expected) in cases {
        let found = problems(&format!("{AROUND}{piece}"));
        assert_eq!(found, [*expected], "{piece}");
    }
}

#[test]
fn the_document_as_a_whole() {
    assert_eq!(problems(AROUND), [""; 0]);
    assert_eq!(problems(super::DOCUMENT.example), [""; 0]);
    let one = |document: &str| {
        let found = problems(document);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    assert_eq!(
        one("# nothing"),
        "has no [[stakeholder]] and no [[channel]]"
    );
    let told = one("language = 'sv'\n[smtp\nhost = 'kanariefagel'");
    assert!(told.starts_with("line 2 is not valid TOML: "), "{told}");
    assert!(!told.contains("kanariefagel"), "{told}");
    let told = one("password = kanariefagel");
    assert!(told.starts_with("line 1 is not valid TOML: "), "{told}");
    assert!(!told.contains("kanariefagel"), "{told}");
    for (document, expected) in [
        ("language = 'fi'", "language is \"fi\"; it must be sv or en"),
        ("language = 1", "language must be a text in quotes"),
        (
            "time_zone = 'Mars/Olympus'",
            "time_zone is \"Mars/Olympus\"; it must be a time zone of the IANA database, such as \
             Europe/Stockholm",
        ),
        (
            "time_zon = 'UTC'",
            "time_zon is not known; did you mean time_zone?",
        ),
        (
            "[[stakeholders]]",
            "stakeholders is not known; did you mean stakeholder?",
        ),
        (
            "stakeholder = 'anna'",
            "each stakeholder must be a table [[stakeholder]]",
        ),
        (
            "[[smtp]]\nhost='a'\nfrom='a@b.example'\n[[smtp]]\nhost='a'\nfrom='a@b.example'",
            "there can be one [smtp] only",
        ),
    ] {
        assert_eq!(one(document), expected);
    }
}

#[test]
fn mail_servers() {
    let smtp = |more: &str| problems(&format!("[smtp]\n{more}"));
    let good = "host = 'mail.example.org'\nfrom = 'news@example.org'\n";
    assert_eq!(smtp(""), ["smtp: host is missing", "smtp: from is missing"]);
    for (more, expected) in [
        ("port = 0", "smtp: port must be a number from 1 to 65535"),
        ("port = '25'", "smtp: port must be a number from 1 to 65535"),
        (
            "security = 'ssl'",
            "smtp: security is \"ssl\"; it must be starttls, tls or none",
        ),
        ("user = 'u'", "smtp: has neither password nor password_file"),
        ("password = 'p'", "smtp: has a password and no user"),
        (
            "user = 'u'\npassword = 'p'\nsecurity = 'none'",
            "smtp: security is none, and the password would go over the network in plain text; it \
             must be starttls or tls",
        ),
        (
            "user = 'u'\npassword = ['p', 'q']",
            "smtp: password must be one alone",
        ),
        (
            "passwort = 'p'",
            "smtp: passwort is not known; did you mean password?",
        ),
    ] {
        assert_eq!(smtp(&format!("{good}{more}")), [expected], "{more}");
    }
    let from = "smtp: from is something else; it must be an address, or \"Name <address>\"";
    assert_eq!(smtp("host = 'a'\nfrom = 'news@@example.org'"), [from]);
    let host = "smtp: host is something else; it must be the name or the address of a mail server";
    assert_eq!(smtp("host = 'a b'\nfrom = 'news@example.org'"), [host]);
    let near =
        "host = 'localhost'\nfrom = 'a@b.example'\nuser = 'u'\npassword = 'p'\nsecurity = 'none'";
    assert_eq!(smtp(near), [""; 0]);
}

#[test]
fn channels() {
    let name = "1 to 64 of a-z A-Z 0-9 . _ -";
    each(
        &[
            (
                "[[channel]]\nkind='ntfy'\ntopic='t'",
                "channel 2: name is missing",
            ),
            (
                "[[channel]]\nname='a b'\nkind='ntfy'\ntopic='t'",
                &format!("channel 2: name is something else; it must be {name}"),
            ),
            ("[[channel]]\nname='a'", "channel a: kind is missing"),
            (
                "[[channel]]\nname='a'\nkind='mail'\nurl='x'",
                "channel a: kind is \"mail\"; it must be discord, webhook or ntfy; mail is what [smtp] is for",
            ),
            (
                "[[channel]]\nname='a'\nkind='discord'",
                "channel a: has neither url nor url_file",
            ),
            (
                "[[channel]]\nname='a'\nkind='discord'\nurl='discord'",
                "channel a: url must be an http or https URL",
            ),
            (
                "[[channel]]\nname='a'\nkind='discord'\nurl='https://x'\nsecret='s'",
                "channel a: secret is not known",
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='https://x'\nsecret='s'",
                "channel a: secret 1 does not begin with whsec_; it must be whsec_ and 24 to 64 bytes in Base64",
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='https://x'\nallow_private='yes'",
                "channel a: allow_private must be true or false",
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='http://10.0.0.1/hook'",
                OUT_OF_REACH,
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='https://169.254.169.254/x'\nallow_private=false",
                OUT_OF_REACH,
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='https://[::1]:8080/'",
                OUT_OF_REACH,
            ),
            (
                "[[channel]]\nname='a'\nkind='webhook'\nurl='https://x'\nurl_file='/x'",
                "channel a: has url and url_file; one of them is enough",
            ),
            (
                "[[channel]]\nname='a'\nkind='ntfy'",
                "channel a: topic is missing",
            ),
            (
                "[[channel]]\nname='a'\nkind='ntfy'\ntopic='a/b'",
                "channel a: topic must be 1 to 64 of a-z A-Z 0-9 _ -",
            ),
            (
                "[[channel]]\nname='a'\nkind='ntfy'\ntopic='t'\nurl='ntfy'",
                "channel a: url is \"ntfy\"; it must be an http or https URL",
            ),
            (
                "[[channel]]\nname='a'\nkind='ntfy'\ntopic='t'\ntoken='a b'",
                "channel a: token has characters that a header cannot carry",
            ),
            (
                "[[channel]]\nname='ops'\nkind='ntfy'\ntopic='t'",
                "channel ops: another channel has this name",
            ),
        ][..],
    );
}

#[test]
fn a_webhook_may_have_a_private_address_if_that_is_meant() {
    for url in [
        "http://10.0.0.1/hook",
        "http://[::1]/",
        "http://1.1.1.1/",
        "http://club.example/",
    ] {
        let mut channel = format!("{AROUND}[[channel]]\nname='a'\nkind='webhook'\nurl='{url}'\n");
        let is_private = !problems(&channel).is_empty();
        assert_eq!(
            is_private,
            url.contains("10.0") || url.contains("::"),
            "{url}"
        );
        channel.push_str("allow_private=true");
        assert_eq!(problems(&channel), [""; 0], "{url}");
    }
}

#[test]
fn a_channel_is_not_called_mail() {
    let found = problems("[[channel]]\nname='mail'\nkind='ntfy'\ntopic='t'");
    let expected =
        "channel mail: this is what the mail server of [smtp] is called; take another name";
    assert_eq!(found, [expected]);
}

#[test]
fn a_secret_whose_file_is_gone_is_one_mistake() {
    let file = "/nowhere/kanariefagel";
    let found = problems(&format!(
        "[[channel]]\nname='a'\nkind='discord'\nurl_file='{file}'"
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("channel a: url_file: /nowhere/kanariefagel cannot be read: "));
    // What has no slash may be the secret itself.
    let found = problems("[[channel]]\nname='a'\nkind='discord'\nurl_file='kanariefagel'");
    assert!(
        found[0].starts_with("channel a: url_file: its file cannot be read: "),
        "{found:?}"
    );
}

#[test]
fn what_stakeholders_want() {
    let anna = |more: &str| {
        format!("[[stakeholder]]\nid='anna'\nrole='referee'\nmail='a@b.example'\n{more}")
    };
    let cases = [
        (
            "role2='x'",
            "stakeholder anna: role2 is not known; did you mean role?",
        ),
        (
            "quiet_hours='22-07'",
            "stakeholder anna: quiet_hours is \"22-07\"; it must be up to twelve ranges of the clock, such as 22:00-07:00",
        ),
        (
            "quiet_hours='00:00-12:00,12:00-24:00'",
            "stakeholder anna: quiet_hours leave no time of the day",
        ),
        (
            "minimum_priority='urgent'",
            "stakeholder anna: minimum_priority is \"urgent\"; it must be critical, high, medium or low",
        ),
        (
            "digest='weekly'",
            "stakeholder anna: digest is \"weekly\"; it must be immediate, hourly or daily",
        ),
        (
            "digest='daily'\ndigest_at='7:00'",
            "stakeholder anna: digest_at is \"7:00\"; it must be a time of the clock, such as 07:00",
        ),
        (
            "digest='daily'\ndigest_at='24:00'",
            "stakeholder anna: digest_at is \"24:00\"; it must be a time of the clock, such as 07:00",
        ),
        (
            "digest='daily'\ndigest_at=07:00:00",
            "stakeholder anna: digest_at must be a text in quotes",
        ),
        (
            "digest_at='07:00'",
            "stakeholder anna: digest_at is of use only with digest = \"daily\"",
        ),
        (
            "time_zone='CEST/Stockholm'",
            "stakeholder anna: time_zone is \"CEST/Stockholm\"; it must be a time zone of the IANA database, such as Europe/Stockholm",
        ),
        (
            "language='no'",
            "stakeholder anna: language is \"no\"; it must be sv or en",
        ),
        (
            "referee_id=0",
            "stakeholder anna: referee_id must be an id of the match list, a positive number",
        ),
        (
            "referee_id='A9'",
            "stakeholder anna: referee_id must be an id of the match list, a positive number",
        ),
        (
            "club_id=11",
            "stakeholder anna: club_id is of use only to a team",
        ),
        (
            "channels=['opps']",
            "stakeholder anna: there is no channel opps; there are: mail, ops",
        ),
        (
            "channels=['ops','ops']",
            "stakeholder anna: names the channel ops twice",
        ),
        (
            "channels=[]",
            "stakeholder anna: channels is empty; leave it out",
        ),
        (
            "channels=['bo@example.org']",
            "stakeholder anna: channels has something else, which is no name",
        ),
        (
            "active='no'",
            "stakeholder anna: active must be true or false",
        ),
        ("name=7", "stakeholder anna: name must be a text in quotes"),
    ];
    for (more, expected) in cases {
        // Without channels that can be used, nothing says how it is told.
        let found = problems(&format!("{AROUND}{}", anna(more)));
        assert_eq!(found.first().map(String::as_str), Some(expected), "{more}");
    }
}

#[test]
fn certificates_of_a_mail_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem").display().to_string();
    let smtp = format!("[smtp]\nhost='h'\nfrom='a@b.example'\nca_file='{path}'");
    std::fs::write(&path, "kanariefagel").unwrap();
    let expected = format!("smtp: ca_file: {path} holds no certificate in PEM");
    assert_eq!(problems(&smtp), [expected]);
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
    std::fs::write(&path, pem).unwrap();
    assert_eq!(problems(&smtp), [""; 0]);
    let config = load(&[("NOTIFICATIONS", &smtp)]).unwrap();
    let authorities = config.notifications.smtp.unwrap().authorities;
    assert_eq!(authorities.as_deref(), Some(pem.as_bytes()));
}

#[test]
fn who_stakeholders_are() {
    each(&[
        (
            "[[stakeholder]]\nid='anna'\nmail='a@b.example'",
            "stakeholder anna: role is missing",
        ),
        (
            "[[stakeholder]]\nid='anna'\nrole='judge'\nmail='a@b.example'",
            "stakeholder anna: role is \"judge\"; it must be referee, coordinator, team or operator",
        ),
        (
            "[[stakeholder]]\nrole='operator'\nmail='a@b.example'",
            "stakeholder 2: id is missing",
        ),
        (
            "[[stakeholder]]\nid='a@b.example'\nrole='operator'\nmail='a@b.example'",
            "stakeholder 2: id is something else; it must be 1 to 64 of a-z A-Z 0-9 . _ -",
        ),
        (
            "[[stakeholder]]\nid='anna'\nrole='operator'\nmail='a.example'",
            "stakeholder anna: mail must be an address, such as anna@example.org",
        ),
        (
            "[[stakeholder]]\nid='anna'\nrole='operator'",
            "stakeholder anna: nothing says how it is told; set mail or channels",
        ),
        (
            "[[stakeholder]]\nid='anna'\nrole='operator'\nchannels='mail'",
            "stakeholder anna: is told by mail and has no address; set mail",
        ),
        (
            "[[stakeholder]]\nid='cia'\nrole='operator'\nchannels='ops'",
            "stakeholder cia: another stakeholder has this id",
        ),
    ]);
}

#[test]
fn groups_and_rules() {
    let conditions = [
        (
            "categories=['kick_off']",
            "rule a: categories has \"kick_off\"; each must be ",
        ),
        (
            "categories=['aged_out']",
            "rule a: categories has \"aged_out\", of which nobody is ever told",
        ),
        ("categories=[]", "rule a: categories is empty; leave it out"),
        (
            "priorities=['urgent']",
            "rule a: priorities has \"urgent\"; each must be critical, high, medium or low",
        ),
        (
            "stakeholders=['anna']",
            "rule a: stakeholders has \"anna\"; each must be referees, coordinators, teams or all",
        ),
        (
            "clubs=[]",
            "rule a: clubs must be a list of ids of the match list, positive numbers",
        ),
        (
            "clubs=[11,'x']",
            "rule a: clubs must be a list of ids of the match list, positive numbers",
        ),
        (
            "referee=[1]",
            "rule a: referee is not known; did you mean referees?",
        ),
        (
            "channels=['opps']",
            "rule a: there is no channel opps; there are: mail, ops",
        ),
        (
            "skip=true",
            "rule a: has skip beside notify, channels or instead; it must be one or the other",
        ),
    ];
    for (more, expected) in conditions {
        let found = problems(&format!(
            "{AROUND}[[rule]]\nname='a'\nnotify=['cia']\n{more}"
        ));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
    each(&[
        ("[[rule]]\nskip=true", "rule 1: name is missing"),
        (
            "[[rule]]\nname='a'",
            "rule a: has neither notify (whom it tells) nor skip = true",
        ),
        (
            "[[rule]]\nname='a'\nnotify=[]",
            "rule a: notify is empty; leave it out",
        ),
        (
            "[[rule]]\nname='a'\nnotify=['dan']",
            "rule a: there is no stakeholder dan",
        ),
        (
            "[[rule]]\nname='a'\nnotify=['group:g']",
            "rule a: there is no group g",
        ),
        (
            "[[rule]]\nname='a'\nnotify=['dan@example.org']",
            "rule a: notify has something else, which is no name",
        ),
        (
            "[[rule]]\nname='a'\nskip=true\n[[rule]]\nname='a'\nskip=true",
            "rule a: another rule has this name",
        ),
        (
            "[[group]]\nid='g'\nmembers=['dan']",
            "group g: there is no stakeholder dan",
        ),
        ("[[group]]\nid='g'", "group g: members is missing"),
        (
            "[[group]]\nid='g'\nmembers=['cia']\nname='G'",
            "group g: name is not known",
        ),
    ]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = problems(
        "[[channel]]\nname='a'\nkind='pigeon'\n[[stakeholder]]\nid='anna'\nrole='judge'\nchannels=['a','b']\n\
         [[stakeholder]]\nid='anna'\nrole='team'\ntime_zone='x'\nchannels='a'\n\
         [[group]]\nid='g'\nmembers=['bo']\n[[rule]]\nname='r'\nnotify=['group:h','anna']\n",
    );
    assert_eq!(
        found,
        [
            "channel a: kind is \"pigeon\"; it must be discord, webhook or ntfy; mail is what [smtp] is for",
            "stakeholder anna: role is \"judge\"; it must be referee, coordinator, team or operator",
            "stakeholder anna: time_zone is \"x\"; it must be a time zone of the IANA database, such as Europe/Stockholm",
            "stakeholder anna: another stakeholder has this id",
            "stakeholder anna: there is no channel b; there are: a",
            "group g: there is no stakeholder bo",
            "rule r: there is no group h",
        ]
    );
}
