//! A request's values as an expression sees them.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde_json::Value;

/// Values in a body. One of 64 KiB can have four times as many; none that people send has.
pub const MAX_VALUES: usize = 8192;

/// Any value.
pub type Boxed = Box<dyn Val>;

/// A text.
pub fn text(text: &str) -> Box<dyn Val + '_> {
    Box::new(CelString::from(text))
}

/// Names with texts.
pub fn texts(pairs: &[(String, String)]) -> Box<dyn Val + '_> {
    let map: HashMap<_, _> = pairs
        .iter()
        .map(|(name, value)| (name.as_str().into(), text(value)))
        .collect();
    Box::new(CelMap::from(map))
}

/// A body, unless it has too many values. Whole numbers are `int`, or `uint` if they are too large
/// for one; others are `double`.
pub fn json(value: Value) -> Option<Boxed> {
    let mut left = MAX_VALUES;
    convert(value, &mut left)
}

/// The parser lets no more than 128 levels through.
fn convert(value: Value, left: &mut usize) -> Option<Boxed> {
    *left = left.checked_sub(1)?;
    Some(match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(truth)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text)),
        Value::Array(values) => {
            let list: Option<Vec<_>> = values
                .into_iter()
                .map(|value| convert(value, left))
                .collect();
            Box::new(CelList::from(list?))
        }
        Value::Object(fields) => {
            let map: Option<HashMap<_, _>> = fields
                .into_iter()
                .map(|(name, value)| Some((name.into(), convert(value, left)?)))
                .collect();
            Box::new(CelMap::from(map?))
        }
    })
}
