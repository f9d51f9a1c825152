use proptest::prelude::*;

use super::*;
use crate::domain::plan::AssetKind;

fn a_match() -> Match {
    Match::parse(
        r#"{"matchid": 6000001, "matchnr": "000402010", "speldatum": "2027-05-11",
        "avsparkstid": "19:00", "lag1namn": "Norra IF", "lag2namn": "Södra <BK>",
        "anlaggningnamn": "Vallen 1", "tavlingnamn": "Cupen & Serien", "domaruppdraglista": [
            {"domareid": 1, "personnamn": "Anna Exempel", "domarrollnamn": "Huvuddomare"},
            {"domareid": 2, "namn": "Bo Exempel", "domarrollkortnamn": "AD1"}, {"domareid": 3}]}"#,
    )
    .unwrap()
}

fn render(kind: TextKind) -> String {
    Texts::new(None, None)
        .unwrap()
        .render(kind, &a_match())
        .unwrap()
}

fn own(description: &str) -> Result<Texts, TemplateError> {
    Texts::new(Some(description.to_owned()), None)
}

fn refused(description: &str) -> String {
    own(description).unwrap_err().to_string()
}

#[test]
fn the_built_in_description() {
    insta::assert_snapshot!(render(TextKind::Description), @"
    *Norra IF - Södra <BK>*
    _Cupen & Serien_
    Vallen 1

    Match Facts: https://www.svenskfotboll.se/matchfakta/match?matchId=6000001

    ---
    This group is for the referee team of this match: for planning, questions and late news.
    ");
}

#[test]
fn the_built_in_group_info() {
    insta::assert_snapshot!(render(TextKind::GroupInfo), @"
    Group Name: Norra IF - Södra <BK>
    Match: 000402010
    Competition: Cupen & Serien
    Date & Time: 2027-05-11 19:00
    Venue: Vallen 1

    Referees:
    - Anna Exempel (Huvuddomare)
    - Bo Exempel (AD1)
    - ? (?)
    ");
}

#[test]
fn a_match_of_which_nothing_is_known_has_texts_too() {
    let texts = Texts::new(None, None).unwrap();
    for &kind in TextKind::ALL {
        texts.render(kind, &Match::default()).unwrap();
    }
}

#[test]
fn a_user_can_replace_each_template_and_use_every_variable() {
    let all = "{{ home }}|{{ away }}|{{ competition }}|{{ venue }}|{{ number }}|{{ date }}|\
        {{ time }}|{{ match_id }}|{{ match_url }}|\
        {% for r in referees %}{{ r.name }} {{ r.role }};{% endfor %}{{ range(2) | join }}";
    let texts = own(all).unwrap();
    insta::assert_snapshot!(texts.render(TextKind::Description, &a_match()).unwrap(), @"Norra IF|Södra <BK>|Cupen & Serien|Vallen 1|000402010|2027-05-11|19:00|6000001|https://www.svenskfotboll.se/matchfakta/match?matchId=6000001|Anna Exempel Huvuddomare;Bo Exempel AD1;? ?;01");
    let info = texts.render(TextKind::GroupInfo, &a_match()).unwrap();
    assert_eq!(info, render(TextKind::GroupInfo));
}

#[test]
fn mistakes_in_a_template_are_told_at_the_start() {
    insta::assert_snapshot!(refused("a\n{{ hone }}"), @"template group_description, line 2: unknown variable `hone` (there are home, away, competition, venue, number, date, time, match_id, match_url, referees; a referee has name, role) in `{{ hone }}`");
    insta::assert_snapshot!(refused("a\n\n{% if false %}{{ hone }}{% endif %}"), @"template group_description, line 3: unknown variable `hone` (there are home, away, competition, venue, number, date, time, match_id, match_url, referees; a referee has name, role) in `{% if false %}{{ hone }}{% endif %}`");
    insta::assert_snapshot!(refused("{% for r in referees %}\n{{ r.nam }}{% endfor %}"), @"template group_description, line 2: undefined value (there are home, away, competition, venue, number, date, time, match_id, match_url, referees; a referee has name, role) in `{{ r.nam }}{% endfor %}`");
    insta::assert_snapshot!(refused("{{ home"), @"template group_description, line 1: syntax error: unexpected end of input, expected end of variable block in `{{ home`");
    insta::assert_snapshot!(refused("{{ home | shout }}"), @"template group_description, line 1: unknown filter: filter shout is unknown in `{{ home | shout }}`");
    insta::assert_snapshot!(refused("{{ '%\n' | format(home) }}"), @"template group_description, line 2: invalid operation: invalid conversion type ' ' in format spec at offset 1 in `' | format(home) }}`");
    let info = Texts::new(None, Some("{% endfor %}".to_owned())).unwrap_err();
    assert_eq!(info.kind, TextKind::GroupInfo);
}

#[test]
fn a_template_that_takes_too_long_or_makes_too_much_is_refused() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    insta::assert_snapshot!(refused(endless), @"template group_description, line 1: engine ran out of fuel in `{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}`");
    assert!(refused("{{ 'a' * 70000 }}").contains("failed to write"));
}

#[test]
fn a_failure_for_one_match_is_an_error_without_its_data() {
    // With invented data the detail is told, with a match's it is not.
    let problem = own("{{ referees[1].name | int }}").unwrap_err().problem;
    assert!(problem.contains("invalid float literal"), "{problem}");
    let texts = own("{% if home == 'Home Team' %}ok{% else %}{{ home | int }}{% endif %}").unwrap();
    let error = texts
        .render(TextKind::Description, &a_match())
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(error, @"template group_description, line 1: invalid operation");
    let texts = own("{{ referees[1].name }}").unwrap();
    texts
        .render(TextKind::Description, &Match::default())
        .unwrap_err();
    let many = Match {
        referees: vec![a_match().referees.remove(0); 20_000],
        ..a_match()
    };
    Texts::new(None, None)
        .unwrap()
        .render(TextKind::GroupInfo, &many)
        .unwrap_err();
}

#[test]
fn no_value_can_add_a_line() {
    let m = Match {
        number: "1\n- Eve (Huvuddomare)\r\u{b}".to_owned(),
        ..a_match()
    };
    let text = Texts::new(None, None)
        .unwrap()
        .render(TextKind::GroupInfo, &m)
        .unwrap();
    assert_eq!(
        text.lines().count(),
        render(TextKind::GroupInfo).lines().count()
    );
}

#[test]
fn texts_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Texts>();
}

fn named(home: &str, away: &str) -> String {
    let mut m = a_match();
    (m.home.name, m.away.name) = (Some(home.to_owned()), Some(away.to_owned()));
    folder("Base", &m)
}

#[test]
fn folders_tell_day_match_and_teams() {
    assert_eq!(
        folder("A/B", &a_match()),
        "A/B/2027-05-11/Match_6000001_Norra_IF_Södra_<BK>"
    );
    assert_eq!(
        folder("A/", &a_match()),
        "A/2027-05-11/Match_6000001_Norra_IF_Södra_<BK>"
    );
    let unknown = Match {
        id: 7,
        ..Match::default()
    };
    assert_eq!(
        folder("A", &unknown),
        "A/unknown-date/Match_7_unknown_unknown"
    );
    assert_eq!(folder("", &unknown), "unknown-date/Match_7_unknown_unknown");
    let odd_day = Match {
        date_text: Some("../../x".to_owned()),
        ..unknown
    };
    assert_eq!(
        folder("A", &odd_day),
        "A/unknown-date/Match_7_unknown_unknown"
    );
}

#[test]
fn names_cannot_change_the_path() {
    for (name, wanted) in [
        ("A/B", "A_B"),
        ("A\\B", "A_B"),
        ("A\u{0}B\nC\tD", "A_B_C_D"),
        ("../../etc", "_._etc"),
        ("..", "unknown"),
        (".hidden", "hidden"),
        ("A..B", "A.B"),
        ("", "unknown"),
        ("   ", "unknown"),
        ("\u{202e}", "unknown"),
        ("A\u{202e}B\u{200b}C\u{feff}", "ABC"),
        ("A\u{2028}B\u{a0}C\u{85}D", "A_B_C_D"),
        ("Ö.I.S.", "Ö.I.S."),
    ] {
        let wanted = format!("Base/2027-05-11/Match_6000001_{wanted}_x");
        assert_eq!(named(name, "x"), wanted, "{name:?}");
    }
}

#[test]
fn long_names_are_cut_between_characters() {
    let path = named(&"åäö".repeat(100), &"😀".repeat(100));
    let segment = path.rsplit('/').next().unwrap();
    assert!(segment.len() < 255, "{}", segment.len());
    assert!(segment.ends_with('😀'));
}

#[test]
fn files_are_named_after_the_match() {
    let names: Vec<_> = AssetKind::ALL
        .iter()
        .map(|kind| file_name(*kind, 7))
        .collect();
    assert_eq!(
        names,
        [
            "whatsapp_group_description_match_7.txt",
            "whatsapp_group_info_match_7.txt",
            "whatsapp_group_avatar_match_7.png",
        ]
    );
}

proptest! {
    #[test]
    fn no_name_escapes_from_its_folder(home in "(\\PC|[./\\\\\u{0}-\u{20}\u{202e}]){0,200}", away: String) {
        let path = named(&home, &away);
        let segments: Vec<&str> = path.split('/').collect();
        prop_assert_eq!(segments.len(), 3);
        prop_assert_eq!(segments[0], "Base");
        prop_assert_eq!(segments[1], "2027-05-11");
        prop_assert!(segments[2].starts_with("Match_6000001_") && segments[2].len() < 255);
        prop_assert!(!path.contains("..") && !path.contains('\\'));
        prop_assert!(!path.contains(|c: char| c.is_control() || c.is_whitespace()));
    }

    #[test]
    fn any_template_is_compiled_or_refused(source in "(\\{\\{|\\}\\}|\\{%|%\\}|for|in|if|home|referees| |\\.|[a-z0-9|*])*") {
        drop(own(&source).map(|texts| texts.render(TextKind::Description, &a_match())));
    }
}
