//! The functions that a rule may call.

use super::types::Type;

/// How a function may be called, and what it leads to.
pub struct Function {
    pub name: &'static str,
    /// Whether `name(x)` is right.
    pub plain: bool,
    /// Whether `x.name()` is right.
    pub member: bool,
    /// For each argument, the value before the dot first.
    pub arguments: &'static [Argument],
    pub result: Type,
}

/// What may be handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    Text,
    /// A text, number or boolean.
    Plain,
    /// Something that has a size.
    Sized,
}

impl Argument {
    pub fn takes(self, given: &Type) -> bool {
        match (self, given) {
            (_, Type::Dyn | Type::Text)
            | (Self::Plain, Type::Bool | Type::Bytes)
            | (Self::Sized, Type::Bytes | Type::List(_) | Type::Map(_)) => true,
            (Self::Plain, number) => number.is_number(),
            _ => false,
        }
    }

    pub fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Plain => "a string, number or bool",
            Self::Sized => "a string, list or map",
        }
    }
}

/// The one function that the daemon brings along itself.
pub const MATCHES: &str = "matches";

use Argument::{Plain, Sized, Text};

const fn of_texts(name: &'static str) -> Function {
    Function {
        name,
        plain: false,
        member: true,
        arguments: &[Text, Text],
        result: Type::Bool,
    }
}

const fn conversion(name: &'static str, result: Type) -> Function {
    Function {
        name,
        plain: true,
        member: false,
        arguments: &[Plain],
        result,
    }
}

static FUNCTIONS: [Function; 9] = [
    Function {
        name: "size",
        plain: true,
        member: true,
        arguments: &[Sized],
        result: Type::Int,
    },
    of_texts("contains"),
    of_texts("startsWith"),
    of_texts("endsWith"),
    of_texts(MATCHES),
    conversion("int", Type::Int),
    conversion("uint", Type::Uint),
    conversion("double", Type::Double),
    conversion("string", Type::Text),
];

/// The macros, for those who mistype one.
const MACROS: [&str; 5] = ["has", "all", "exists", "exists_one", "filter"];

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The names of all that can be called.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name).chain(MACROS)
}
