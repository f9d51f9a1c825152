//! `check-config`: the settings as they take effect.

use super::output::print;
use super::settings;
use crate::app::Failure;

/// Prints the settings, or fails with every mistake in them.
///
/// # Errors
/// The mistakes, all together.
pub fn run() -> Result<(), Failure> {
    let config = settings()?;
    let warnings = config
        .warnings
        .iter()
        .chain(&config.private_warnings)
        .map(|warning| format!("warning: {warning}\n"));
    print(&format!(
        "{}{}",
        config.effective_table(),
        warnings.collect::<String>()
    ))
}
