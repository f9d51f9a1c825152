//! Shows that the harnesses bite: each must find what is wrong with a build from which the very
//! promise was taken out that it tries.

mod power;
mod table;

use std::time::Instant;

use anyhow::{bail, ensure};

use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result};
use crate::{Arguments, parse};

/// Which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the weakened builds whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// Also those that take more time than CI has.
    #[arg(long)]
    all: bool,
}

/// Builds each weakened program and runs the harness on it that must catch it.
pub fn run(args: &Args) -> Result<Summary> {
    let begun = Instant::now();
    let more = [table::MORE, power::MORE].into_iter().flatten();
    let chosen = table::CONTROLS.iter().chain(power::CONTROLS);
    let chosen = chosen.chain(more.filter(|_| args.all));
    let chosen: Vec<_> = chosen
        .filter(|(weakening, _)| weakening.name.contains(&args.only))
        .collect();
    ensure!(!chosen.is_empty(), "no weakened build is called that");
    let mut found = Vec::new();
    for (weakening, harness) in chosen {
        let Arguments { harness, .. } = parse(harness)?;
        let common = Common {
            binary: Some(weakening.build()?),
            report: None,
        };
        let tried = Instant::now();
        match harness.run(&common) {
            Err(error) if error.is::<Violation>() => {
                println!("{}: caught: {error}", weakening.name);
            }
            Err(error) => return Err(error.context(weakening.name)),
            Ok(summary) => bail!("{} was not caught:\n{summary}", weakening.name),
        }
        found.push((weakening.name, tried.elapsed().as_secs_f64()));
    }
    let count = u64::try_from(found.len())?;
    let mut summary = Summary::new("control", 0, count, begun);
    for (name, seconds) in found {
        summary.figure(format!("{name}: caught after seconds"), seconds);
    }
    Ok(summary)
}
