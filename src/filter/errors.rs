//! Why a rule could not be asked. No value of a request is told, only types and the names of keys.

use cel::ExecutionError;

use crate::labels;

labels! {
    /// Why a rule could not be asked.
    RuleErrorKind {
        /// What it looks at is not there.
        Missing => "missing",
        /// What it looks at is of another type.
        WrongType => "wrong_type",
        /// A number is too large, or divided by zero.
        Arithmetic => "arithmetic",
        /// A text is no number.
        Conversion => "conversion",
        /// It leads to something that is not true or false.
        NotBoolean => "not_boolean",
        /// A defect.
        Defect => "defect",
    }
}

/// Why a rule could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct RuleError {
    /// For counting.
    pub kind: RuleErrorKind,
    /// For people who try their own request; it may name a key of it.
    pub detail: String,
}

impl RuleError {
    pub(super) fn new(kind: RuleErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    pub(super) fn of(error: &ExecutionError) -> Self {
        Self::new(RuleErrorKind::of(error), detail(error))
    }
}

impl RuleErrorKind {
    pub(super) fn of(error: &ExecutionError) -> Self {
        use ExecutionError as E;
        match error {
            E::NoSuchKey(_) | E::IndexOutOfBounds(_) => Self::Missing,
            E::Overflow(..) | E::DivisionByZero(_) | E::RemainderByZero(_) => Self::Arithmetic,
            E::FunctionError { .. } => Self::Conversion,
            E::InternalError(_) | E::UndeclaredReference(_) => Self::Defect,
            _ => Self::WrongType,
        }
    }
}

fn detail(error: &ExecutionError) -> String {
    use ExecutionError as E;
    let told = match error {
        E::NoSuchKey(key) => return format!("there is no key {key:?}"),
        E::NoSuchOverload(error) => {
            let types = error.argument_types().join(", ");
            let operation = told(error.function());
            return format!("{operation} cannot be done with ({types})");
        }
        E::FunctionError { function, .. } => {
            return format!("{function}() cannot convert this value");
        }
        E::UnexpectedType { want, .. } => {
            return format!("a value is of another type than {want}");
        }
        E::IndexOutOfBounds(_) => "the list has no such element",
        E::Overflow(..) => "a number is too large",
        E::DivisionByZero(_) | E::RemainderByZero(_) => "something is divided by zero",
        E::InternalError(_) | E::UndeclaredReference(_) => "the program has a defect",
        _ => "a value is of a type with which this cannot be done",
    };
    told.to_owned()
}

/// An operation as it is written.
fn told(function: &str) -> String {
    match function {
        "_._" => "taking a field".to_owned(),
        "_[_]" => "taking an element".to_owned(),
        "@in" => "in".to_owned(),
        other => other.replace('_', " ").trim().to_owned(),
    }
}
