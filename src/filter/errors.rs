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
        use ExecutionError as E;
        match error {
            E::NoSuchKey(key) => {
                Self::new(RuleErrorKind::Missing, format!("there is no key {key:?}"))
            }
            E::IndexOutOfBounds(_) => {
                Self::new(RuleErrorKind::Missing, "the list has no such element")
            }
            E::NoSuchOverload(error) => {
                let types = error.argument_types().join(", ");
                let operation = told(error.function());
                let detail = format!("{operation} cannot be done with ({types})");
                Self::new(RuleErrorKind::WrongType, detail)
            }
            E::Overflow(..) => Self::new(RuleErrorKind::Arithmetic, "a number is too large"),
            E::DivisionByZero(_) | E::RemainderByZero(_) => {
                Self::new(RuleErrorKind::Arithmetic, "something is divided by zero")
            }
            E::FunctionError { function, .. } => {
                let detail = format!("{function}() cannot convert this value");
                Self::new(RuleErrorKind::Conversion, detail)
            }
            E::UnexpectedType { want, .. } => {
                let detail = format!("a value is of another type than {want}");
                Self::new(RuleErrorKind::WrongType, detail)
            }
            E::InternalError(_) | E::UndeclaredReference(_) => {
                Self::new(RuleErrorKind::Defect, "the program has a defect")
            }
            _ => Self::new(
                RuleErrorKind::WrongType,
                "a value is of a type with which this cannot be done",
            ),
        }
    }
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
