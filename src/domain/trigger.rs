//! Many triggers, one cycle.

crate::labels! {
    /// Where a trigger came from.
    Source {
        /// Somebody called `POST /process`.
        Webhook => "webhook",
        /// The timer.
        Schedule => "schedule",
        /// The start of the daemon.
        Startup => "startup",
        /// A cycle that failed before.
        Retry => "retry",
        /// A held list that is to be confirmed.
        Confirm => "confirm",
        /// A person, through the administration.
        Operator => "operator",
    }
}

/// Most triggers that a cycle's span is linked to.
pub const MAX_LINKS: usize = 128;

/// A trigger that waits for a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Its number; later triggers have greater ones.
    pub seq: i64,
    /// Where it came from.
    pub source: Source,
    /// What its body held for the cycle, if anything.
    pub data: Option<&'a str>,
    /// The trace that it belongs to, as a `traceparent`.
    pub traceparent: Option<&'a str>,
}

/// What one cycle serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// The smallest number among the triggers.
    pub first: i64,
    /// The greatest; everything up to it is served.
    pub last: i64,
    /// How many there are.
    pub count: usize,
    /// The sources, each once, in the order of [`Source`].
    pub sources: Vec<Source>,
    /// The data of the newest trigger that has any.
    pub trigger_data: Option<&'a str>,
    /// The traces of the newest triggers, oldest first, at most [`MAX_LINKS`].
    pub links: Vec<&'a str>,
}

/// Takes all waiting triggers together, in whatever order. `None` if none waits.
#[must_use]
pub fn coalesce<'a>(waiting: &[Waiting<'a>]) -> Option<Served<'a>> {
    let mut waiting = waiting.to_vec();
    waiting.sort_unstable_by_key(|trigger| trigger.seq);
    let (first, last) = (waiting.first()?.seq, waiting.last()?.seq);
    let mut sources: Vec<Source> = waiting.iter().map(|trigger| trigger.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let newest = || waiting.iter().rev();
    let mut links: Vec<&str> = newest()
        .filter_map(|t| t.traceparent)
        .take(MAX_LINKS)
        .collect();
    links.reverse();
    let trigger_data = newest().find_map(|trigger| trigger.data);
    Some(Served {
        first,
        last,
        count: waiting.len(),
        sources,
        trigger_data,
        links,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(seq: i64, data: Option<&'static str>) -> Waiting<'static> {
        Waiting {
            seq,
            source: Source::Webhook,
            data,
            traceparent: None,
        }
    }

    #[test]
    fn without_triggers_there_is_no_cycle() {
        assert_eq!(coalesce(&[]), None);
    }

    #[test]
    fn the_newest_trigger_with_data_speaks_for_all() {
        let mut waiting = [
            trigger(9, None),
            trigger(7, Some("newer")),
            trigger(3, Some("older")),
            Waiting {
                source: Source::Startup,
                ..trigger(4, None)
            },
        ];
        let served = coalesce(&waiting).unwrap();
        assert_eq!((served.first, served.last, served.count), (3, 9, 4));
        assert_eq!(served.trigger_data, Some("newer"));
        assert_eq!(served.sources, [Source::Webhook, Source::Startup]);
        waiting.reverse();
        assert_eq!(
            coalesce(&waiting),
            Some(served),
            "the order does not matter"
        );
    }

    #[test]
    fn links_are_bounded_and_the_newest() {
        let names: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let waiting: Vec<Waiting> = (0..1_000)
            .zip(&names)
            .map(|(seq, name)| Waiting {
                traceparent: (seq % 2 == 0).then_some(name),
                ..trigger(seq, None)
            })
            .collect();
        let links = coalesce(&waiting).unwrap().links;
        assert_eq!(
            (links.len(), links[0], links[127]),
            (MAX_LINKS, "744", "998")
        );
    }
}
