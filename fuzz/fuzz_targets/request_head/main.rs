//! Bytes of a connection go the real way: the limits, hyper, the guard and the endpoints. What
//! comes back is held against a second, strict reader of the same bytes.
//!
//! The first byte is the size of the pieces in which the rest arrives; 0 is all at once.

#![no_main]

#[path = "../../../tests/reliability/edge/answer.rs"]
mod answer;
mod door;
mod reader;
mod stream;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

use answer::Answer;
use door::Door;
use reader::{Told, Verdict};

static DOOR: LazyLock<Door> = LazyLock::new(Door::open);

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((piece, bytes)) = data.split_first() else {
        return Corpus::Reject;
    };
    let continues = bytes.to_ascii_lowercase();
    let continues = continues
        .windows(12)
        .filter(|word| word == b"100-continue")
        .count();
    // The reader of the answers takes one interim answer.
    if continues > 1 {
        return Corpus::Reject;
    }
    let told = reader::requests(bytes);
    let came = DOOR.answers(bytes, usize::from(*piece));
    let is_head = |nth: usize| told.get(nth).is_some_and(|one| one.is_head);
    let answers = answer::read(&came, is_head, continues == 1);
    let answers = answers.unwrap_or_else(|problem| {
        panic!(
            "{problem}: {}\nthe reader says {told:?}",
            came.escape_ascii()
        )
    });
    if let Err(problem) = agree(&told, &answers) {
        panic!(
            "{problem}: {}\nthe reader says {told:?}",
            came.escape_ascii()
        );
    }
    Corpus::Keep
});

/// Each answer belongs to a request that the strict reader sees, and may be given to it.
fn agree(told: &[Told], answers: &[Answer]) -> Result<(), String> {
    if answers.len() > told.len() {
        return Err(format!(
            "{} answers to {} requests",
            answers.len(),
            told.len()
        ));
    }
    for (nth, (one, answer)) in told.iter().zip(answers).enumerate() {
        let is_last = nth + 1 == answers.len();
        let refused = matches!(answer.status, 400 | 408 | 414 | 431 | 501 | 505) && is_last;
        match one.verdict {
            Verdict::Refused(why) if !refused => {
                return Err(format!("{} in spite of {why}", answer.status));
            }
            Verdict::Unfinished if !refused => {
                return Err(format!("{} to half a head", answer.status));
            }
            _ if ![200, 400, 404, 405, 408, 413, 414, 429, 431, 501, 503, 505]
                .contains(&answer.status) =>
            {
                return Err(format!("{} is no answer of this program", answer.status));
            }
            _ => {}
        }
    }
    let end = told
        .iter()
        .position(|one| one.may_end)
        .unwrap_or(told.len());
    let whole = told
        .iter()
        .take_while(|one| one.verdict == Verdict::Whole)
        .count();
    let owed = whole.min(end + 1);
    let ends = |last: &Answer| last.closes || matches!(last.status, 400 | 414 | 431);
    if answers.len() < owed && !answers.last().is_some_and(ends) {
        return Err(format!(
            "{} answers to {owed} whole requests",
            answers.len()
        ));
    }
    Ok(())
}
