//! What all templates that users bring have in common.

use minijinja::{Environment, Template};

/// The first variable, in the order of the alphabet, that a template asks for and that is neither among
/// the `known` ones nor a global of its environment.
pub(super) fn unknown_variable(
    environment: &Environment<'_>,
    template: &Template<'_, '_>,
    known: &[&str],
) -> Option<String> {
    let globals: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
    let is_unknown = |name: &String| {
        let name = name.as_str();
        !known.contains(&name) && !globals.contains(&name)
    };
    let asked = template.undeclared_variables(false).into_iter();
    asked.filter(is_unknown).min()
}
