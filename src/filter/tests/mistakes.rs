//! What is refused before any request comes, and where.

use super::{Action, Filters, draft, one};

/// The first mistake of an expression, without the rule's name.
fn mistake(when: &str) -> String {
    let mistakes = one(when).expect_err(when);
    let told = mistakes[0].to_string();
    told.strip_prefix("rule r: ").expect(&told).to_owned()
}

/// What is no expression.
const FORM: &[(&str, &str)] = &[
    ("line 1, column 1: the expression is empty", ""),
    ("line 1, column 4: mismatched input the end", "1 +"),
    ("line 1, column 3: token recognition error at: '$'", "a $ b"),
    (
        "line 1, column 1: token recognition error at: '\"abc'",
        "\"abc",
    ),
    (
        "line 2, column 9: mismatched input the end",
        "method ==\n  'å' ||",
    ),
    ("line 1, column 1: reserved identifier: while", "while"),
    (
        "line 1, column 1: invalid int literal",
        "99999999999999999999 == body",
    ),
    ("line 1, column 5: unsupported syntax '.?'", "body.?b"),
    (
        "line 1, column 5: invalid argument to has() macro",
        "has(body)",
    ),
    (
        "line 1, column 10: argument must be a simple name",
        "body.all(1, true)",
    ),
];

/// What nobody knows.
const NAMES: &[(&str, &str)] = &[
    (
        "line 1, column 1: boddy is not known, did you mean body?; known are authenticated, body, \
          headers, method, query, source",
        "boddy.x == 1",
    ),
    (
        "line 2, column 5: foo is not known; known are",
        "true\n && foo == 1",
    ),
    (
        "line 1, column 11: env is not known; known are",
        "headers.x-env == 1",
    ),
    (
        "line 1, column 20: b is not known; known are",
        "method == 'ååå' && b",
    ),
    ("line 1, column 2: .body is not known", ".body == 1"),
    ("line 1, column 1: int is not known; known are", "int"),
    (
        "line 1, column 15: y is not known; known are",
        "[1].exists(x, y)",
    ),
    (
        "line 1, column 1: the function sizes is not known, did you mean size?",
        "sizes(body) == 1",
    ),
    (
        "line 1, column 8: the function upper is not known",
        "method.upper() == ''",
    ),
    (
        "line 1, column 1: the function timestamp is not known",
        "timestamp(body) > 1",
    ),
    (
        "line 1, column 1: the function match is not known, did you mean matches?",
        "match(body, '')",
    ),
    (
        "line 1, column 1: size is used as size(x) or x.size()",
        "size(body, 1) == 1",
    ),
    (
        "line 1, column 1: contains is used as x.contains(y)",
        "contains(method, 'a')",
    ),
    ("line 1, column 6: int is used as int(x)", "body.int() == 1"),
    (
        "line 1, column 9: names of headers are in lower case: \"x-env\"",
        "headers['X-Env'] == ''",
    ),
    (
        "line 1, column 8: names of headers are in lower case: \"env\"",
        "headers.Env == ''",
    ),
    (
        "line 1, column 1: names of headers are in lower case: \"x-env\"",
        "'X-Env' in headers",
    ),
];

/// What cannot be, whatever the request.
const TYPES: &[(&str, &str)] = &[
    (
        "line 1, column 1: the condition is an int; it must be true or false",
        "1",
    ),
    (
        "line 1, column 2: the condition is a string; it must be true or false",
        " method",
    ),
    (
        "line 1, column 1: the condition is a string; it must be true or false",
        "headers.a",
    ),
    (
        "line 1, column 1: the condition is a list; it must be true or false",
        "body.filter(x, x == 1)",
    ),
    (
        "line 1, column 1: the condition is an int; it must be true or false",
        "true ? 1 : 2",
    ),
    (
        "line 1, column 1: the condition is an int; it must be true or false",
        "size(body)",
    ),
    (
        "line 1, column 9: this is a string; it must be true or false",
        "true && headers['a']",
    ),
    (
        "line 1, column 2: this is an int; it must be true or false",
        "!size(body)",
    ),
    (
        "line 1, column 1: this is a string; it must be true or false",
        "method ? true : false",
    ),
    (
        "line 1, column 16: this is an int; it must be true or false",
        "body.exists(x, size(x))",
    ),
    (
        "line 1, column 8: a string never equals an int",
        "method == 1",
    ),
    (
        "line 1, column 8: a bool never equals a string",
        "(true) == 'true'",
    ),
    (
        "line 1, column 8: a string never equals a list",
        "method == ['POST']",
    ),
    (
        "line 1, column 8: a string is never in a list of which each element is an int",
        "method in [1, 2]",
    ),
    (
        "line 1, column 8: nothing is in a string",
        "'POST' in method",
    ),
    (
        "line 1, column 8: a string is neither less nor greater than an int",
        "method > 1",
    ),
    (
        "line 1, column 6: a value of the request is neither less nor greater than a list",
        "body < [1]",
    ),
    ("line 1, column 7: a string has no fields", "method.x == 1"),
    (
        "line 1, column 7: a string cannot be indexed with an int",
        "method[0] == 'P'",
    ),
    (
        "line 1, column 8: a map cannot be indexed with an int",
        "headers[0] == 'P'",
    ),
    (
        "line 1, column 11: a string has no elements",
        "method.all(x, x)",
    ),
    (
        "line 1, column 12: an int and a double do not go together; convert one of them",
        "body == (1 + 1.0)",
    ),
    (
        "line 1, column 15: a string and a string cannot be calculated with; numbers only",
        "'a' == method + source",
    ),
    (
        "line 1, column 8: one of the two must evidently be a number: int(…), double(…)",
        "body.a + body.b > 1",
    ),
    (
        "line 1, column 2: a string cannot be negative",
        "-method == 1",
    ),
    (
        "line 1, column 1: int() takes a string, number or bool, not a list",
        "int([1]) == 1",
    ),
    (
        "line 1, column 1: size() takes a string, list or map, not an int",
        "size(1) == 1",
    ),
    (
        "line 1, column 8: contains() takes a string, not an int",
        "method.contains(1)",
    ),
];

/// What could be too much work.
const TOO_MUCH: &[(&str, &str)] = &[
    (
        "line 1, column 2: a list can hold constants only",
        "[body, body] == body",
    ),
    (
        "line 1, column 1: a map cannot be written here",
        "{'a': 1} == body",
    ),
    (
        "line 1, column 9: map() is not known here",
        "body.map(x, x) == body",
    ),
    (
        "line 1, column 9: map() is not known here",
        "body.map(x, x > 1, body) == body",
    ),
    (
        "line 1, column 18: a macro cannot be within another",
        "body.all(x, x.all(y, y == 1))",
    ),
    (
        "line 1, column 18: body cannot be asked for each element; only x and constants can",
        "body.all(x, x == body)",
    ),
    (
        "line 1, column 12: body already has a meaning; use another name",
        "body.exists(body, body == 1)",
    ),
    (
        "line 1, column 16: a pattern is a constant text",
        "method.matches(body.pattern)",
    ),
    (
        "line 1, column 16: the pattern is no regular expression: unclosed group",
        "method.matches('(')",
    ),
    (
        "line 1, column 16: the pattern is too large",
        "method.matches('\\\\w{999}')",
    ),
];

#[test]
fn mistakes_tell_where_and_what() {
    let mut wrong = Vec::new();
    for (expected, when) in [FORM, NAMES, TYPES, TOO_MUCH].concat() {
        let told = mistake(when);
        if !told.starts_with(expected) {
            wrong.push(format!("{when}\n  is: {told}\n not: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_rules_are_checked_and_each_mistake_names_its_rule() {
    let rules = vec![
        draft("good", "true", Action::Ignore),
        draft("first", "x == 1 || y == 2", Action::Ignore),
        draft("second", "1", Action::Ignore),
        draft("good", "false", Action::Ignore),
        draft("bad name", "true", Action::Ignore),
        draft("default", "true", Action::Ignore),
    ];
    let mistakes = Filters::compile(rules, Action::Trigger).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    let starts = [
        "rule first: line 1, column 1: x is not known",
        "rule first: line 1, column 11: y is not known",
        "rule second: line 1, column 1: the condition is an int",
        "rule good: another rule has this name",
        "rule \"bad name\": a name is",
        "rule \"default\": a name is",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
}
