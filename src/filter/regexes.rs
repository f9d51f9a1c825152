//! The patterns of `matches`, compiled once and for all requests.

use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, ExecutionError};
use regex::{Regex, RegexBuilder};

use super::functions::MATCHES;

/// Bytes of a pattern.
const MAX_PATTERN: usize = 256;
/// Bytes of a compiled pattern. The time for a text is its length times this at worst.
const MAX_COMPILED: usize = 256 * 1024;
/// Bytes that a search may set aside to be fast.
const MAX_CACHE: usize = 256 * 1024;

/// Compiles a pattern, whose matching takes time in proportion to the text.
///
/// # Errors
/// Why it cannot be used.
pub fn pattern(text: &str) -> Result<Regex, String> {
    if text.len() > MAX_PATTERN {
        return Err(format!(
            "the pattern has {} bytes; {MAX_PATTERN} are possible",
            text.len()
        ));
    }
    let built = RegexBuilder::new(text)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_CACHE)
        .nest_limit(32)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
        error => {
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default();
            let last = last.trim_start_matches("error: ");
            format!("the pattern is no regular expression: {last}")
        }
    })
}

/// Lets conditions call `matches` with the number of a pattern, which the checker put in its place.
pub fn offer(context: &mut Context<'_, '_>, regexes: &Arc<[Regex]>) {
    if regexes.is_empty() {
        return;
    }
    let regexes = Arc::clone(regexes);
    let matches = move |This(text): This<Arc<String>>, number: i64| {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let regex = regexes.get(number);
        let regex = regex.ok_or_else(|| ExecutionError::function_error(MATCHES, "no pattern"))?;
        Ok::<_, ExecutionError>(regex.is_match(&text))
    };
    // Only the library's own `matches` could be in the way, which is left out of the build; the
    // tests of the expressions would fail.
    let _ = context.add_function(MATCHES, matches);
}
