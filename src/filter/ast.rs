//! Parts of a parsed expression that the checker asks for.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators,
};

/// The byte at which an expression begins, its leftmost part.
pub fn start(node: &IdedExpr, info: &SourceInfo) -> usize {
    let own = info.offset_for(node.id).map(|(start, _)| start as usize);
    let own = own.map(|start| match &node.expr {
        Expr::Call(call) => name_of(call, start, &info.source),
        _ => start,
    });
    let parts = children(node).into_iter().map(|part| start(part, info));
    own.into_iter().chain(parts).min().unwrap_or(0)
}

/// The byte at which a function's name begins, of which the parser notes the bracket behind it.
pub fn name_of(call: &CallExpr, bracket: usize, source: &str) -> usize {
    let before = source.get(..bracket).unwrap_or_default().trim_end();
    match before.ends_with(&call.func_name) {
        true => before.len() - call.func_name.len(),
        false => bracket,
    }
}

/// How many expressions are within one another, at most `limit` + 1.
pub fn depth(node: &IdedExpr, limit: usize) -> usize {
    let Some(rest) = limit.checked_sub(1) else {
        return 1;
    };
    let parts = children(node).into_iter().map(|part| depth(part, rest));
    1 + parts.max().unwrap_or(0)
}

/// The expressions that are directly within one.
fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|e| entry(&e.expr)).collect(),
        Expr::Struct(all) => all.entries.iter().flat_map(|e| entry(&e.expr)).collect(),
        Expr::Comprehension(each) => vec![
            &each.iter_range,
            &each.accu_init,
            &each.loop_cond,
            &each.loop_step,
            &each.result,
        ],
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => vec![],
    }
}

fn entry(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// The text, if an expression is one.
pub fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Whether an expression is this variable.
pub fn is_variable(node: &IdedExpr, variable: &str) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == variable)
}

/// What a macro asks of each element.
pub enum Asked<'a> {
    /// `all`, `exists` and `exists_one`.
    Whether(&'a mut IdedExpr),
    /// `filter`.
    Which(&'a mut IdedExpr),
}

/// What a macro asks of each element; none for `map`, which makes new elements.
pub fn asked(each: &mut ComprehensionExpr) -> Option<Asked<'_>> {
    let is_list = matches!(each.accu_init.expr, Expr::List(_));
    let element = each.iter_var.clone();
    let Expr::Call(step) = &mut each.loop_step.expr else {
        return None;
    };
    match (step.func_name.as_str(), step.args.as_mut_slice()) {
        (operators::LOGICAL_OR | operators::LOGICAL_AND, [_, asked]) => Some(Asked::Whether(asked)),
        (operators::CONDITIONAL, [asked, step, _]) => match is_list {
            true => adds(step, &element).then_some(Asked::Which(asked)),
            false => Some(Asked::Whether(asked)),
        },
        _ => None,
    }
}

/// Whether a step adds the element as it is.
fn adds(step: &IdedExpr, element: &str) -> bool {
    let Expr::Call(call) = &step.expr else {
        return false;
    };
    let [_, added] = call.args.as_slice() else {
        return false;
    };
    match &added.expr {
        Expr::List(list) => matches!(list.elements.as_slice(), [one] if is_variable(one, element)),
        _ => false,
    }
}
