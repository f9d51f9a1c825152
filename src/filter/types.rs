//! What can be known of a value before there is one.

use std::fmt;

/// The type of an expression, as far as it is evident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Known only with the request.
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    List(Box<Type>),
    /// Its keys are texts.
    Map(Box<Type>),
}

impl Type {
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether a walk over it can be a walk over the body.
    pub fn is_dyn(&self) -> bool {
        matches!(self, Self::Dyn)
    }

    /// Whether a value of this type can be one of `other`.
    pub fn can_be(&self, other: &Self) -> bool {
        self.is_dyn() || other.is_dyn() || self == other
    }

    /// Whether values of the two can be equal.
    pub fn can_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => true,
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => a.can_equal(b),
            (a, b) => a.can_be(b) || (a.is_number() && b.is_number()),
        }
    }

    /// Whether one of the two can be less than the other.
    pub fn can_be_ordered(&self, other: &Self) -> bool {
        let has_order = |one: &Self| match one {
            Self::Dyn | Self::Bool | Self::Text | Self::Bytes => true,
            other => other.is_number(),
        };
        has_order(self) && has_order(other) && self.can_equal(other)
    }

    /// The one type of both, or none that is evident.
    pub fn join(self, other: Self) -> Self {
        match self == other {
            true => self,
            false => Self::Dyn,
        }
    }
}

/// With its article.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "a value of the request",
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Uint => "a uint",
            Self::Double => "a double",
            Self::Text => "a string",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        })
    }
}
