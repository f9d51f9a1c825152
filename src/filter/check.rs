//! Checks an expression before it is asked: names, types, and how much work it can be.
//!
//! The bound: whatever is not constant stems from the request, and no operation that is let through
//! makes a value larger than what it was given. So each operation walks over the body at most once.
//! Within a macro nothing but the element is at hand, so that an operation there walks over all
//! elements together once. [`Checker::work`] counts these walks.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SourceInfo, operators};
use regex::Regex;

use super::ast::{self, Asked};
use super::functions::{self, Function, MATCHES};
use super::looks::Seen;
use super::place::{Place, Problem};
use super::regexes;
use super::types::Type;

/// What a rule may name.
pub const VARIABLES: [&str; 6] = [
    "authenticated",
    "body",
    "headers",
    "method",
    "query",
    "source",
];
/// Walks over a text that finding a pattern in it counts as.
const SEARCH: usize = 4;

/// Walks through an expression and notes what it finds.
pub struct Checker<'a> {
    pub(super) info: &'a SourceInfo,
    /// Where the patterns of all rules are kept.
    pub regexes: &'a mut Vec<Regex>,
    pub problems: Vec<Problem>,
    /// Walks over the body at most.
    pub work: usize,
    /// What it asks for of a request.
    pub seen: Seen,
    /// The variable of the macro that is looked at, and its type.
    element: Option<(String, Type)>,
}

impl<'a> Checker<'a> {
    pub fn new(info: &'a SourceInfo, regexes: &'a mut Vec<Regex>) -> Self {
        Self {
            info,
            regexes,
            problems: Vec::new(),
            work: 0,
            seen: Seen::default(),
            element: None,
        }
    }

    /// Checks a whole condition.
    pub fn condition(&mut self, node: &mut IdedExpr) {
        let found = self.visit(node);
        if self.problems.is_empty() && !found.can_be(&Type::Bool) {
            let told = format!("the condition is {found}; it must be true or false");
            self.at_start(node, told);
        }
    }

    /// The type of an expression; after a problem one that leads to no others.
    pub(super) fn visit(&mut self, node: &mut IdedExpr) -> Type {
        let offset = self.info.offset_for(node.id);
        let offset = offset.map_or(0, |(start, _)| start as usize);
        if self.element.is_some() && !matches!(node.expr, Expr::Literal(_) | Expr::Ident(_)) {
            self.work += 1;
        }
        match &mut node.expr {
            Expr::Literal(literal) => type_of(literal),
            Expr::Ident(name) => self.variable(name, offset),
            Expr::Select(select) => {
                match select.test {
                    true => self.header(&select.operand, &select.field),
                    false => self.lower_case(&select.operand, &select.field, offset),
                }
                let operand = self.visit(&mut select.operand);
                let found = self.field(&operand, offset);
                match select.test {
                    true => Type::Bool,
                    false => found,
                }
            }
            Expr::List(list) => self.list(&mut list.elements),
            Expr::Call(call) => self.call(call, offset),
            Expr::Comprehension(each) => self.each(each, offset),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {
                self.problem(offset, "a map cannot be written here");
                Type::Dyn
            }
        }
    }

    pub(super) fn problem(&mut self, offset: usize, text: impl Into<String>) {
        self.problems.push(Problem {
            place: Place::of(&self.info.source, offset),
            text: text.into(),
        });
    }

    pub(super) fn at_start(&mut self, node: &IdedExpr, text: impl Into<String>) {
        self.problem(ast::start(node, self.info), text);
    }

    fn variable(&mut self, name: &str, offset: usize) -> Type {
        if let Some((element, found)) = &self.element {
            if element == name {
                return found.clone();
            }
            if VARIABLES.contains(&name) {
                let told = format!(
                    "{name} cannot be asked for each element; only {element} and constants can"
                );
                self.problem(offset, told);
                return Type::Dyn;
            }
        }
        self.seen.variable(name);
        match name {
            "body" => Type::Dyn,
            "headers" | "query" => Type::Map(Box::new(Type::Text)),
            "method" | "source" | "authenticated" => Type::Text,
            _ => {
                let nearest = nearest(name, VARIABLES.into_iter());
                let known = VARIABLES.join(", ");
                self.problem(
                    offset,
                    format!("{name} is not known{nearest}; known are {known}"),
                );
                Type::Dyn
            }
        }
    }

    /// A field of a value, or an element by its name.
    pub(super) fn field(&mut self, of: &Type, offset: usize) -> Type {
        match of {
            Type::Map(values) => (**values).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                self.problem(offset, format!("{other} has no fields"));
                Type::Dyn
            }
        }
    }

    /// A header that is asked for by its name.
    fn header(&mut self, map: &IdedExpr, name: &str) {
        if ast::is_variable(map, "headers") {
            self.seen.header(name);
        }
    }

    /// The same, which may be named in a way in which none ever is.
    pub(super) fn lower_case(&mut self, map: &IdedExpr, name: &str, offset: usize) {
        self.header(map, name);
        if ast::is_variable(map, "headers") && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let lower = name.to_ascii_lowercase();
            self.problem(
                offset,
                format!("names of headers are in lower case: {lower:?}"),
            );
        }
    }

    /// A list that is written out; whatever else could be in it could be the body many times.
    fn list(&mut self, elements: &mut [IdedExpr]) -> Type {
        // It is made anew for each element.
        self.work += self.element.iter().len() * elements.len();
        let mut found: Option<Type> = None;
        for element in elements {
            if !matches!(element.expr, Expr::Literal(_)) {
                self.at_start(element, "a list can hold constants only");
                return Type::List(Box::new(Type::Dyn));
            }
            let one = self.visit(element);
            found = Some(match found {
                Some(before) => before.join(one),
                None => one,
            });
        }
        Type::List(Box::new(found.unwrap_or(Type::Dyn)))
    }

    fn each(&mut self, each: &mut ComprehensionExpr, offset: usize) -> Type {
        let range = self.visit(&mut each.iter_range);
        let element = match &range {
            Type::List(element) => (**element).clone(),
            Type::Map(_) => Type::Text,
            Type::Dyn => Type::Dyn,
            other => {
                self.problem(offset, format!("{other} has no elements"));
                Type::Dyn
            }
        };
        // The elements are copied one by one.
        self.work += 2;
        let variable = each.iter_var.clone();
        if VARIABLES.contains(&variable.as_str()) {
            self.problem(
                offset,
                format!("{variable} already has a meaning; use another name"),
            );
        }
        let (asked, result) = match ast::asked(each) {
            Some(Asked::Whether(asked)) => (asked, Type::Bool),
            Some(Asked::Which(asked)) => (asked, Type::List(Box::new(element.clone()))),
            None => {
                let told = "map() is not known here: it could make the body many times as large";
                self.problem(offset, told);
                return Type::Dyn;
            }
        };
        if self.element.is_some() {
            let told = "a macro cannot be within another: that would be too much work";
            self.problem(offset, told);
            return result;
        }
        self.element = Some((variable, element));
        let found = self.visit(asked);
        if !found.can_be(&Type::Bool) {
            let told = format!("this is {found}; it must be true or false");
            self.at_start(asked, told);
        }
        self.element = None;
        result
    }

    fn call(&mut self, call: &mut CallExpr, offset: usize) -> Type {
        if let Some(found) = self.operator(call, offset) {
            return found;
        }
        let offset = ast::name_of(call, offset, &self.info.source);
        let mut arguments: Vec<&mut IdedExpr> = call
            .target
            .as_deref_mut()
            .into_iter()
            .chain(&mut call.args)
            .collect();
        let given: Vec<Type> = arguments.iter_mut().map(|one| self.visit(one)).collect();
        let Some(function) = functions::find(&call.func_name) else {
            let nearest = nearest(&call.func_name, functions::names());
            let told = format!("the function {} is not known{nearest}", call.func_name);
            self.problem(offset, told);
            return Type::Dyn;
        };
        let allowed = match call.target.is_some() {
            true => function.member,
            false => function.plain,
        };
        if !allowed || given.len() != function.arguments.len() {
            self.problem(offset, usage(function));
            return function.result.clone();
        }
        self.arguments(function, &given, offset);
        if function.name == MATCHES {
            self.pattern(&mut call.args[0]);
        }
        function.result.clone()
    }

    fn arguments(&mut self, function: &Function, given: &[Type], offset: usize) {
        self.work += match function.name {
            MATCHES => SEARCH,
            _ => 1,
        };
        for (argument, given) in function.arguments.iter().zip(given) {
            if !argument.takes(given) {
                let (name, expected) = (function.name, argument.expected());
                self.problem(offset, format!("{name}() takes {expected}, not {given}"));
            }
        }
    }

    /// Puts a pattern's number in its place.
    fn pattern(&mut self, node: &mut IdedExpr) {
        let Some(text) = ast::text(node) else {
            self.at_start(node, "a pattern is a constant text");
            return;
        };
        match regexes::pattern(text) {
            Ok(regex) => {
                let number = i64::try_from(self.regexes.len()).unwrap_or(i64::MAX);
                self.regexes.push(regex);
                node.expr = Expr::Literal(LiteralValue::Int(number.into()));
            }
            Err(told) => self.at_start(node, told),
        }
    }
}

fn type_of(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

fn usage(function: &Function) -> String {
    let name = function.name;
    let rest = match function.arguments.len() {
        1 => "",
        _ => "y",
    };
    let plain = function.plain.then(|| format!("{name}(x)"));
    let member = function.member.then(|| format!("x.{name}({rest})"));
    let forms: Vec<String> = plain.into_iter().chain(member).collect();
    format!("{name} is used as {}", forms.join(" or "))
}

/// What somebody who mistyped a name may have meant.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let name = name.trim_matches('_');
    if name == operators::MAP {
        return String::new();
    }
    known
        .map(|candidate| (strsim::jaro_winkler(candidate, name), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map_or_else(String::new, |(_, candidate)| {
            format!(", did you mean {candidate}?")
        })
}
