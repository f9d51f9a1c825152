//! `check-config`: the settings as they take effect.

use std::io::Write;

use anyhow::Context;

use crate::app::Failure;
use crate::config::Config;

/// Prints the settings, or fails with every mistake in them.
///
/// # Errors
/// The mistakes, all together.
pub fn run() -> Result<(), Failure> {
    let config = Config::from_env().map_err(|errors| Failure::Unusable(errors.to_string()))?;
    let mut out = std::io::stdout().lock();
    write!(out, "{}", config.effective_table()).context("cannot print the settings")?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}").context("cannot print the settings")?;
    }
    Ok(())
}
