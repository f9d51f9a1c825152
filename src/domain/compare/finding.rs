//! What differs in one subject, before it is judged.

use std::fmt;

use crate::domain::change::Category;

/// A difference in one subject of a match.
#[derive(Debug)]
pub(super) struct Finding {
    pub category: Category,
    /// The match left the list after its day: nobody needs to know.
    pub aged_out: bool,
    pub field: Option<&'static str>,
    pub previous: Option<String>,
    pub current: Option<String>,
    pub description: String,
}

impl Finding {
    /// The match as a whole came or went.
    pub fn whole(category: Category, description: String) -> Self {
        Self {
            category,
            aged_out: false,
            field: None,
            previous: None,
            current: None,
            description,
        }
    }

    /// A field differs whose values are not told.
    pub fn of_field(category: Category, field: &'static str, description: String) -> Self {
        Self {
            field: Some(field),
            ..Self::whole(category, description)
        }
    }

    /// A field differs.
    pub fn of_values(
        category: Category,
        field: &'static str,
        values: (Value<'_>, Value<'_>),
        description: String,
    ) -> Self {
        Self {
            previous: Some(values.0.to_string()),
            current: Some(values.1.to_string()),
            ..Self::of_field(category, field, description)
        }
    }
}

/// A field's value, borrowed from a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Id(i64),
    Text(&'a str),
    Flag(bool),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

/// One field on both sides.
pub(super) struct Field<'a> {
    pub name: &'static str,
    before: Option<Value<'a>>,
    now: Option<Value<'a>>,
}

impl<'a> Field<'a> {
    pub fn id(name: &'static str, before: Option<i64>, now: Option<i64>) -> Self {
        Self {
            name,
            before: before.map(Value::Id),
            now: now.map(Value::Id),
        }
    }

    pub fn text(name: &'static str, before: Option<&'a str>, now: Option<&'a str>) -> Self {
        Self {
            name,
            before: before.map(Value::Text),
            now: now.map(Value::Text),
        }
    }

    /// Both values, if they are known and differ.
    pub fn difference(&self) -> Option<(Value<'a>, Value<'a>)> {
        match (self.before, self.now) {
            (Some(before), Some(now)) if before != now => Some((before, now)),
            _ => None,
        }
    }
}
