use proptest::prelude::*;

use super::*;

/// A state of the match: not in the list, or with fields of a few values, all of them told.
fn any_state() -> impl Strategy<Value = Option<Value>> {
    let day = prop::sample::select(vec!["2027-05-01", "2027-05-11", "2027-05-12"]);
    let text = || prop::sample::select(vec!["A", "B"]);
    let id = || 1..3i64;
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let referees = prop::sample::subsequence(vec![51, 52, 53], 0..=3).prop_shuffle();
    let m = (
        day,
        (text(), text(), text(), text()),
        (id(), id(), id()),
        flags,
        referees,
    )
        .prop_map(|(day, (time, venue, home, cup), ids, flags, referees)| {
            let referees: Vec<_> = referees
                .into_iter()
                .map(|id| referee(id, "Dom", &format!("Person {id}")))
                .collect();
            with(
                json!({"speldatum": day, "avsparkstid": time, "anlaggningnamn": venue,
                "anlaggningid": ids.0, "lag1namn": home, "lag1lagid": ids.1, "lag2lagid": ids.2,
                "tavlingnamn": cup, "installd": flags.0, "uppskjuten": flags.1,
                "avbruten": flags.2, "domaruppdraglista": referees}),
            )
        });
    prop::option::weighted(0.8, m)
}

/// What is told, in a form in which two ways to the same news are equal: ids by the names that they
/// have, and referees in any order.
fn news(message: Option<&Message>) -> Vec<String> {
    let matches = message.into_iter().flat_map(|m| &m.matches);
    let mut all: Vec<String> = matches
        .flat_map(|m| m.told().into_iter().map(move |n| (m, n)))
        // A match that is new or gone is told to be called off only if that came later.
        .filter(|(m, n)| !((m.is_new || m.is_gone) && n.is_called_off()))
        .filter(|(_, n)| n.before() != n.now() || n.before().is_none())
        .map(|(_, n)| {
            let sorted = |text: Option<&str>| {
                let mut parts: Vec<_> = text.unwrap_or("-").split(", ").collect();
                parts.sort_unstable();
                parts.join(", ")
            };
            format!(
                "{} {} → {}",
                n.category,
                sorted(n.before()),
                sorted(n.now())
            )
        })
        .collect();
    all.sort_unstable();
    all
}

proptest! {
    /// However many steps there were, what is told is what differs between the first and the last.
    #[test]
    fn a_chain_tells_the_first_before_and_the_last_now(
        states in prop::collection::vec(any_state(), 2..7),
    ) {
        let ends = [states[0].clone(), states[states.len() - 1].clone()];
        let merged = chain(&states);
        prop_assert_eq!(news(merged.as_ref()), news(chain(&ends).as_ref()));
        if let Some(merged) = merged {
            let now = chain(&[None, ends[1].clone()]).map(|m| m.matches[0].clone());
            if let Some(now) = now {
                let merged = &merged.matches[0];
                prop_assert_eq!(&merged.venue, &now.venue);
                prop_assert_eq!(&merged.referees, &now.referees);
                prop_assert_eq!(&merged.status, &now.status);
            }
            prop_assert_eq!(merged.priority, merged.matches[0].priority());
        }
    }

    /// What goes with a digest that tells of a time in between says what is true in the end.
    #[test]
    fn what_surrounds_another_tells_the_last_now(
        states in prop::collection::vec(any_state().prop_filter("there", Option::is_some), 4),
        heard in any::<bool>(),
    ) {
        let steps = ["11:00", "12:00", "13:00"];
        let steps = steps.iter().enumerate().filter_map(|(n, time)| {
            let (before, now) = (states[n].as_ref(), states[n + 1].as_ref());
            step_at(before, now, &format!("2027-05-01T{time}:00Z"))
        });
        let steps: Vec<MatchNews> = steps.collect();
        let [first, middle, last] = &steps[..] else {
            return Ok(());
        };
        let alone = |news: &MatchNews| Message::changes(Language::English, news.clone());
        let Some(outer) = Message::merged_after(alone(first), alone(last), heard) else {
            return Ok(());
        };
        let digest = Message { kind: MessageKind::Digest, ..alone(middle) };
        let digest = Stored::of(&digest).payload;
        let payload = Stored::of(&outer).payload;
        for is_newer in [true, false] {
            let mut open = OpenDigest::read(&digest).unwrap();
            let beside = Beside { payload: &payload, is_newer, heard };
            let Some(told) = open.give(middle.match_id, &beside, heard).unwrap() else {
                continue;
            };
            let told: Message = serde_json::from_str(&told.payload).unwrap();
            let told = &told.matches[0];
            prop_assert_eq!(told.found(), outer.matches[0].found());
            for news in told.told() {
                let now = match news.subject() {
                    Subject::Time => &last.kickoff,
                    Subject::Venue => &last.venue,
                    Subject::Home => &last.home,
                    Subject::Competition => &last.competition,
                    _ => continue,
                };
                prop_assert_eq!(news.now(), Some(now.as_str()), "{:?}", news);
            }
        }
    }

    #[test]
    fn merging_a_message_with_itself_changes_nothing(states in prop::collection::vec(any_state(), 2..5)) {
        if let Some(message) = chain(&states) {
            prop_assert_eq!(Message::merged(message.clone(), message.clone()), Some(message));
        }
    }

    #[test]
    fn no_subject_is_told_twice(states in prop::collection::vec(any_state(), 2..7)) {
        if let Some(message) = chain(&states) {
            let mut subjects: Vec<_> = message.matches[0].news.iter().map(News::subject).collect();
            let all = subjects.len();
            subjects.sort_unstable();
            subjects.dedup();
            prop_assert_eq!(subjects.len(), all);
        }
    }
}
