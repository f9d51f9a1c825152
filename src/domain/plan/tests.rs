use jiff::civil::Date;
use serde_json::{Value, json};

use super::*;
use crate::domain::compare::{KnownMatch, diff};
use crate::domain::matchlist::{Fingerprint, List};

const TODAY: Date = jiff::civil::date(2027, 5, 1);

type Planned = HashMap<(i64, AssetKind), Option<[u8; 16]>>;

fn a_match(fields: Value) -> Value {
    let referee = |id: i64| json!({"domareid": id, "personnamn": format!("Person {id}"), "domarrollnamn": "Domare"});
    let mut m = json!({
        "matchid": 1, "matchnr": "1", "speldatum": "2027-05-11", "avsparkstid": "19:00",
        "lag1namn": "Norra IF", "lag1foreningid": 12, "lag2namn": "Södra BK", "lag2foreningid": 22,
        "anlaggningnamn": "Vallen", "tavlingnamn": "Cupen",
        "domaruppdraglista": [referee(51), referee(52)]
    });
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    m.as_object_mut().unwrap().extend(fields);
    m
}

/// Plans for the step from one version to the next, or for a new match.
fn planned(before: Option<&Value>, now: &Value, records: &Planned, texts: &Texts) -> Plan {
    let body = format!("[{now}]");
    let list = List::split(body.as_bytes()).unwrap();
    let old: HashMap<i64, Match> = before
        .iter()
        .map(|m| (1, Match::parse(&m.to_string()).unwrap()))
        .collect();
    let known: Vec<KnownMatch> = before
        .iter()
        .map(|m| KnownMatch {
            id: 1,
            fingerprint: Fingerprint::of(m.to_string().as_bytes()),
            date: None,
        })
        .collect();
    let rules = PlanRules {
        min_referees: 2,
        folder_base: "Base",
        texts,
    };
    plan(&diff(&list, &known, TODAY), &old, records, &rules)
}

fn kinds(plan: &Plan) -> Vec<AssetKind> {
    plan.files.iter().map(|file| file.kind).collect()
}

fn made(before: Option<&Value>, now: &Value, records: &Planned) -> Vec<AssetKind> {
    kinds(&planned(
        before,
        now,
        records,
        &Texts::new(None, None).unwrap(),
    ))
}

/// The records after everything for this match was planned.
fn records(of: &Value) -> Planned {
    let plan = planned(None, of, &Planned::new(), &Texts::new(None, None).unwrap());
    plan.files
        .iter()
        .map(|file| ((1, file.kind), Some(file.digest)))
        .collect()
}

const ALL: &[AssetKind] = AssetKind::ALL;
const INFO: &[AssetKind] = &[AssetKind::GroupInfo];

#[test]
fn a_new_match_gets_all_three_files() {
    let texts = Texts::new(None, None).unwrap();
    let plan = planned(None, &a_match(json!({})), &Planned::new(), &texts);
    let told: Vec<_> = plan
        .files
        .iter()
        .map(|f| {
            (
                f.match_id,
                f.folder.as_str(),
                f.file_name.as_str(),
                f.content_type,
            )
        })
        .collect();
    let folder = "Base/2027-05-11/Match_1_Norra_IF_Södra_BK";
    assert_eq!(
        told,
        [
            (
                1,
                folder,
                "whatsapp_group_description_match_1.txt",
                "text/plain"
            ),
            (1, folder, "whatsapp_group_info_match_1.txt", "text/plain"),
            (1, folder, "whatsapp_group_avatar_match_1.png", "image/png"),
        ]
    );
    assert!(
        matches!(&plan.files[0].content, FileContent::Text(text) if text.starts_with("*Norra IF"))
    );
    assert!(
        matches!(&plan.files[1].content, FileContent::Text(text) if text.starts_with("Group Name"))
    );
    let avatar = AvatarRequest {
        home_club: Some(12),
        away_club: Some(22),
        home_name: "Norra IF".to_owned(),
        away_name: "Södra BK".to_owned(),
    };
    assert_eq!(plan.files[2].content, FileContent::Avatar(avatar));
}

#[test]
fn a_known_match_gets_the_files_that_a_change_touches() {
    let before = a_match(json!({}));
    for (fields, wanted) in [
        (json!({"x": 1}), &[][..]),
        (json!({"installd": true}), &[]),
        (json!({"avsparkstid": "20:00"}), INFO),
        (json!({"anlaggningnamn": "Ny"}), &ALL[..2]),
        (json!({"tavlingnamn": "Ny"}), &ALL[..2]),
        (json!({"lag1foreningid": 13}), &ALL[2..]),
        (json!({"lag1namn": "Ny"}), ALL),
        (json!({"speldatum": "2027-05-12"}), ALL),
    ] {
        let now = a_match(fields);
        // Whether or not there are records of it.
        assert_eq!(made(Some(&before), &now, &Planned::new()), wanted, "{now}");
        assert_eq!(
            made(Some(&before), &now, &records(&before)),
            wanted,
            "{now}"
        );
    }
}

#[test]
fn too_few_referees_make_no_files_and_are_counted() {
    let few = a_match(json!({"domaruppdraglista": [{"domareid": 51}]}));
    let texts = Texts::new(None, None).unwrap();
    let plan = planned(None, &few, &Planned::new(), &texts);
    assert!(plan.files.is_empty());
    assert_eq!(
        plan.skipped.values().copied().collect::<Vec<_>>(),
        [1, 1, 1]
    );
    // The first two referees make everything, however old the match.
    assert_eq!(made(Some(&few), &a_match(json!({})), &Planned::new()), ALL);
}

#[test]
fn records_tell_what_is_unchanged_and_what_failed_for_good() {
    let (before, now) = (a_match(json!({"x": 1})), a_match(json!({})));
    let texts = Texts::new(None, None).unwrap();
    let mut records = records(&now);
    let plan = planned(None, &now, &records, &texts);
    assert!(plan.files.is_empty(), "a match that left and came back");
    assert_eq!(
        plan.unchanged.values().copied().collect::<Vec<_>>(),
        [1, 1, 1]
    );
    records.insert((1, AssetKind::Avatar), None);
    assert_eq!(made(Some(&before), &now, &records), [AssetKind::Avatar]);
    records.insert((1, AssetKind::GroupInfo), Some([0; 16]));
    assert_eq!(made(Some(&before), &now, &records), &ALL[1..]);
}

#[test]
fn a_match_that_is_new_has_nothing_made_before() {
    let now = a_match(json!({}));
    let body = format!("[{now}]");
    let list = List::split(body.as_bytes()).unwrap();
    // A left-over previous version of a match that is not known any more.
    let old = HashMap::from([(1, Match::parse(&now.to_string()).unwrap())]);
    let texts = Texts::new(None, None).unwrap();
    let rules = PlanRules {
        min_referees: 2,
        folder_base: "Base",
        texts: &texts,
    };
    let plan = plan(&diff(&list, &[], TODAY), &old, &Planned::new(), &rules);
    assert_eq!(kinds(&plan), ALL);
}

#[test]
fn a_text_that_fails_costs_neither_the_other_files_nor_other_matches() {
    let picky =
        "{% if venue == 'Some Field' or venue == 'Vallen' %}{% else %}{{ venue | int }}{% endif %}";
    let texts = Texts::new(Some(picky.to_owned()), None).unwrap();
    let now = a_match(json!({"anlaggningnamn": "Ny"}));
    let plan = planned(None, &now, &Planned::new(), &texts);
    assert_eq!(kinds(&plan), &ALL[1..]);
    let failed: Vec<_> = plan
        .failed
        .iter()
        .map(|(id, kind, _)| (*id, *kind))
        .collect();
    assert_eq!(failed, [(1, AssetKind::GroupDescription)]);
    // What could not be made before is made as soon as it can be.
    let plan = planned(Some(&now), &a_match(json!({})), &Planned::new(), &texts);
    assert_eq!(kinds(&plan), &ALL[..2]);
}

#[test]
fn digests_depend_on_place_name_and_content() {
    let text = |text: &str| FileContent::Text(text.to_owned());
    let digests = [
        digest("a", "b", &text("c")),
        digest("ab", "", &text("c")),
        digest("a", "bc", &text("")),
        digest("a", "b", &text("d")),
    ];
    for (index, one) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(one), "{index}");
    }
    let avatar = |home_club, away_club| {
        let (home_name, away_name) = (String::new(), String::new());
        let request = AvatarRequest {
            home_club,
            away_club,
            home_name,
            away_name,
        };
        digest("a", "b", &FileContent::Avatar(request))
    };
    assert_ne!(avatar(Some(1), Some(2)), avatar(Some(2), Some(1)));
    assert_ne!(avatar(Some(1), None), avatar(None, Some(1)));
}
