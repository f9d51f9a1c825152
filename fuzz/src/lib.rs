//! What several fuzz targets hold the program against: a second, slower reading of JSON entries,
//! written without looking for speed.

use serde_json::Value;

/// The id of a match as the README tells it: `matchid`, a whole number or one in a string, where 0
/// and -1 stand for none.
#[must_use]
pub fn id_of(entry: &Value) -> Option<i64> {
    let id = match entry.as_object()?.get("matchid")? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    };
    id.filter(|id| ![0, -1].contains(id))
}

/// A float that stands for exactly one integer.
fn whole(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
    (float.trunc() == float && float.abs() <= EXACT).then_some(float as i64)
}
