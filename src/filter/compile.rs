//! Makes rules of texts, or says what is wrong with them.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use cel::common::ast::SourceInfo;
use cel::{Env, IdedExpr};
use regex::Regex;

use super::check::Checker;
use super::looks::{Looks, Seen};
use super::place::{Place, Problem};
use super::{Action, DEFAULT, Filters, Rule, ast, source};
use crate::auth::is_label;

/// Rules at a time.
pub const MAX_RULES: usize = 64;
/// Expressions within one another, brackets or not. Each takes some of the stack.
const MAX_DEPTH: usize = 40;
/// Walks over the body that all rules together may be.
pub(super) const MAX_WORK: usize = 128;
/// For the parser, which needs up to 32 MiB for what may be nested ([`source`]) in a build without
/// optimisations. What is not touched costs nothing.
const STACK: usize = 64 * 1024 * 1024;
/// Problems of one expression that are told; the others follow from them as a rule.
const TOLD: usize = 3;

/// The language without values that may or may not be there: `has` does the same.
pub(super) static LANGUAGE: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A rule as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What people call it.
    pub name: String,
    /// The condition, in CEL.
    pub when: String,
    /// What it leads to.
    pub then: Action,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistaken {
    /// With its name.
    #[error("rule {0:?}: a name is 1 to 64 of a-z A-Z 0-9 . _ -, and not {DEFAULT:?}")]
    Name(String),
    /// Another has the same name.
    #[error("rule {0}: another rule has this name")]
    Twice(String),
    /// With its condition.
    #[error("rule {0}: {1}")]
    Condition(String, Problem),
    /// There are too many.
    #[error("there are {0} rules; {MAX_RULES} are possible")]
    Many(usize),
    /// They are too much work together.
    #[error(
        "the rules may walk over a body {0} times; {MAX_WORK} are possible: use fewer comparisons \
         within all(), exists(), exists_one() and filter(), and fewer patterns"
    )]
    Work(usize),
}

impl Filters {
    /// Makes rules of texts. Takes a thread of its own for a moment.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn compile(drafts: Vec<Draft>, default: Action) -> Result<Self, Vec<Mistaken>> {
        if drafts.len() > MAX_RULES {
            return Err(vec![Mistaken::Many(drafts.len())]);
        }
        let all = move || compile_all(drafts, default);
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(all);
        let failed = |told: &str| {
            let place = Place { line: 1, column: 1 };
            let text = told.to_owned();
            vec![Mistaken::Condition("-".to_owned(), Problem { place, text })]
        };
        match thread.map(std::thread::JoinHandle::join) {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(_)) => Err(failed("one of the rules makes the parser fail")),
            Err(_) => Err(failed("the system has no thread left to read the rules in")),
        }
    }
}

fn compile_all(drafts: Vec<Draft>, default: Action) -> Result<Filters, Vec<Mistaken>> {
    let (mut rules, mut regexes, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut names, mut work, mut looks) = (BTreeSet::new(), 0, Looks::default());
    for draft in drafts {
        let Draft { name, when, then } = draft;
        if !is_label(&name) || name == DEFAULT {
            mistakes.push(Mistaken::Name(name));
            continue;
        }
        if !names.insert(name.clone()) {
            mistakes.push(Mistaken::Twice(name));
            continue;
        }
        match condition(&when, &mut regexes) {
            Ok(condition) => {
                work += condition.work;
                condition.seen.add_to(&mut looks);
                rules.push(Rule {
                    name: name.into(),
                    action: then,
                    condition: condition.expression,
                    uses_body: condition.seen.has("body"),
                });
            }
            Err(problems) => {
                let each = |problem| Mistaken::Condition(name.clone(), problem);
                mistakes.extend(problems.into_iter().take(TOLD).map(each));
            }
        }
    }
    if work > MAX_WORK {
        mistakes.push(Mistaken::Work(work));
    }
    match mistakes.is_empty() {
        true => Ok(Filters {
            rules: rules.into(),
            regexes: regexes.into(),
            default,
            work,
            looks: looks.into(),
        }),
        false => Err(mistakes),
    }
}

struct Condition {
    expression: IdedExpr,
    seen: Seen,
    work: usize,
}

fn condition(text: &str, regexes: &mut Vec<Regex>) -> Result<Condition, Vec<Problem>> {
    source::bounded(text).map_err(|problem| vec![problem])?;
    let (mut expression, info) = parse(text)?;
    let start = Place::of(text, ast::start(&expression, &info));
    if ast::depth(&expression, MAX_DEPTH) > MAX_DEPTH {
        let text = format!("more than {MAX_DEPTH} operations are within one another");
        return Err(vec![Problem { place: start, text }]);
    }
    let mut checker = Checker::new(&info, regexes);
    checker.condition(&mut expression);
    let (seen, work) = (checker.seen, checker.work);
    let mut problems = checker.problems;
    if problems.is_empty() {
        return Ok(Condition {
            expression,
            seen,
            work,
        });
    }
    problems.sort();
    problems.dedup();
    Err(problems)
}

fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), Vec<Problem>> {
    let parsed = LANGUAGE.parser().parse_with_source_info(text);
    parsed.map_err(|errors| {
        let at_end = Place::of(text, text.len());
        let problem = |error: cel::ParseError| {
            let place = match (usize::try_from(error.pos.0), usize::try_from(error.pos.1)) {
                (Ok(line), Ok(column)) if line > 0 && column > 0 => Place { line, column },
                _ => at_end,
            };
            let told = error.msg.trim_start_matches("Syntax error: ");
            // What follows are the names of all tokens that the grammar knows.
            let told = told.split(" expecting {").next().unwrap_or_default();
            let text = match told.replace("'<EOF>'", "the end") {
                told if told.is_empty() => "this is no expression".to_owned(),
                told => told,
            };
            Problem { place, text }
        };
        errors.errors.into_iter().map(problem).collect()
    })
}
