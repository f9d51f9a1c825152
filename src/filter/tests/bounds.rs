//! Whatever is written in a rule or sent in a body: no overflow, no panic, no endless work.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::super::compile::MAX_WORK;
use super::super::source::{MAX_BRACKETS, MAX_BYTES};
use super::{Action, Filters, Judge, Mistaken, asked, draft, one, request};

/// A unit as often as it fits.
fn filled(unit: &str, end: &str) -> String {
    unit.repeat((MAX_BYTES - end.len()) / unit.len()) + end
}

fn nested(open: &str, inside: &str, close: &str, levels: usize) -> String {
    format!("{}{inside}{}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn bombs_are_refused_or_do_no_harm() {
    let half = MAX_BYTES / 2;
    let bombs = [
        "(".repeat(half * 2),
        nested("(", "true", ")", half - 2),
        nested("[", "1", "]", half - 2),
        nested("(", "true", ")", MAX_BRACKETS),
        nested("[", "1", "]", MAX_BRACKETS) + " == body",
        nested("{1:", "1", "}", MAX_BRACKETS) + " == body",
        nested("size(", "body", ")", MAX_BRACKETS) + " == 1",
        nested("body[", "0", "]", MAX_BRACKETS),
        filled("{1:", ""),
        filled("a{b:", ""),
        filled("body.all(x,", ""),
        filled("1+", "1"),
        filled("body==", "1"),
        filled("!", "true"),
        filled("-", "1"),
        filled("!-", "1"),
        filled("body?body:", "true"),
        "body?".repeat(300) + "true" + &":true".repeat(300),
        format!("body{}", "[0]".repeat(600)),
        format!("body{}", ".a".repeat(1000)),
        format!("body{}", ".size()".repeat(250)),
        filled("body||", "body"),
        filled("body&&body||", "body"),
        filled("body in ", "body"),
        format!("body{}", ".filter(x,x)".repeat(160)),
        "$ ".repeat(half),
        "'".repeat(half),
        ".".repeat(half),
        filled("[,", ""),
        "\\".repeat(half),
        "å".repeat(half),
        "\0".repeat(half),
    ];
    let begun = Instant::now();
    for bomb in &bombs {
        let shown: String = bomb.chars().take(30).collect();
        // What is let through is asked on a stack as small as that of the daemon's threads.
        if let Ok(filters) = one(bomb) {
            let small = std::thread::Builder::new().stack_size(1 << 20);
            let thread = small.spawn(move || asked(&filters, "{\"a\":[[1]]}"));
            thread.unwrap().join().expect(&shown).expect(&shown).ok();
        }
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[test]
fn depth_is_bounded_without_brackets_too() {
    for (accepted, levels) in [(true, 38), (false, 39), (false, 600)] {
        let when = format!("body{} == 1", "[0]".repeat(levels));
        assert_eq!(one(&when).is_ok(), accepted, "{levels}");
    }
    let told = one(&format!("body{} == 1", "[0]".repeat(600))).unwrap_err();
    let told = told[0].to_string();
    assert_eq!(
        told,
        "rule r: line 1, column 1: more than 40 operations are within one another"
    );
}

#[test]
fn rules_are_bounded_in_number_and_in_work_together() {
    let rule = |n: usize, when: &str| draft(&format!("r{n}"), when, Action::Ignore);
    let rules = |count: usize, when: &str| (0..count).map(|n| rule(n, when)).collect::<Vec<_>>();
    assert!(Filters::compile(rules(64, "method == 'GET'"), Action::Trigger).is_ok());
    let many = Filters::compile(rules(65, "true"), Action::Trigger).unwrap_err();
    assert_eq!(many, [Mistaken::Many(65)]);
    let each = "body.a == body.b && body.c == body.d";
    let full = Filters::compile(rules(64, each), Action::Trigger).unwrap();
    assert_eq!(full.work(), 128);
    let each = format!("{each} && body.x.exists(x, x.a == 1)");
    let Err(mistakes) = Filters::compile(rules(64, &each), Action::Trigger) else {
        panic!("too much work is let through");
    };
    assert_eq!(mistakes, [Mistaken::Work(64 * 6)]);
}

#[test]
fn values_that_are_deep_are_no_bomb() {
    let filters = one("body == body && !(body != body)").unwrap();
    let deep = nested("[", "1", "]", 126);
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let thread = small.spawn(move || asked(&filters, &deep)).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(Ok(true)));
}

/// As much work as rules may be, with bodies that make the most of it.
#[test]
fn the_most_work_that_is_let_through_is_done_soon() {
    let repeated = |n: usize, part: &str, joint: &str| vec![part; n].join(joint);
    let each = repeated(12, "x.k == 'b'", " || ");
    let errors = repeated(12, "x.absent == 1", " || ");
    let search = "body.t.matches('(a|b)*a(a|b){12}c')";
    let wide = "body.t.matches('(\\\\w|a)*a(\\\\w|b){2}c')";
    let all = [
        ("equality", "body.a == body.b && body.c".to_owned(), 1),
        ("elements", format!("body.l.exists(x, {each})"), 37),
        ("errors", format!("body.l.exists(x, {errors})"), 37),
        (
            "patterns",
            format!("{search} || {search} || {search} || {search}"),
            16,
        ),
        (
            "wide patterns",
            format!("{wide} || {wide} || {wide} || {wide}"),
            16,
        ),
        (
            "texts",
            "body.t.contains('aaaab') || body.t.endsWith('x') || size(body.t) == 1".to_owned(),
            3,
        ),
        (
            "filters",
            "body.l.filter(x, x.k == 'a').filter(x, x.k == 'a') == body.l".to_owned(),
            8,
        ),
    ];
    let elements = vec!["{\"k\":\"a\"}"; 4000].join(",");
    let list = vec!["1"; 4000].join(",");
    let numbers = vec!["1"; 8000].join(",");
    let mut text = String::new();
    for n in 0_u32..15_000 {
        let _ = write!(
            text,
            "{}",
            if n.wrapping_mul(2_654_435_761) & 0x8000 == 0 {
                "a"
            } else {
                "b"
            }
        );
    }
    let bodies = [
        format!("{{\"a\":[{list}],\"b\":[{list}],\"c\":true,\"t\":\"\"}}"),
        format!(
            "{{\"l\":[{elements}],\"t\":\"{}\",\"a\":1,\"b\":1}}",
            "a".repeat(20_000)
        ),
        format!("{{\"l\":[{numbers}],\"t\":\"\",\"a\":1,\"b\":1}}"),
        format!("{{\"t\":\"{}\",\"l\":[],\"a\":1,\"b\":1}}", text.repeat(4)),
    ];
    for (name, when, work) in all {
        let found = one(&when).unwrap().work();
        assert!(found >= work, "{name}: {found}");
        let rules = (0..MAX_WORK / found).take(64);
        let rules = rules
            .map(|n| draft(&format!("r{n}"), &when, Action::Ignore))
            .collect();
        let filters = Filters::compile(rules, Action::Trigger).unwrap();
        for (n, body) in bodies.iter().enumerate() {
            assert!(body.len() <= 64 * 1024, "{}", body.len());
            let request = request(body);
            let begun = Instant::now();
            let judge = Judge::new(&filters, &request);
            let asked = judge.each().filter(|(_, answer)| answer.is_ok()).count();
            let took = begun.elapsed();
            println!(
                "{name}, body {n}: {asked} rules, {} walks, {took:?}",
                filters.work()
            );
            assert!(took < Duration::from_mins(1), "{name}, body {n}: {took:?}");
        }
    }
}
