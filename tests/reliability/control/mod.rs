//! Shows that the harnesses bite: each must find what is wrong with a build from which the very
//! promise was taken out that it tries, and say that it is this.

mod edge;
mod kill;
mod power;
mod shutdown;
mod slow;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{bail, ensure};

use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::weakened::{Edit, Weakened, Weakening};
use crate::support::{Common, Result};
use crate::{Arguments, parse};

/// Which.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the weakened builds whose names contain this, or which this harness must catch.
    #[arg(long, default_value = "")]
    only: String,
    /// Also those that take more time than CI has.
    #[arg(long)]
    all: bool,
}

/// What was weakened, which harness caught it, and after how many seconds.
type Caught = (&'static str, &'static str, f64);

/// A weakened build and who must catch it.
#[derive(Clone, Copy, Debug)]
struct Control {
    weakening: Weakening,
    /// How the harness is called.
    harness: &'static [&'static str],
    /// One of these stands in what it must say: being caught by something else proves nothing.
    says: &'static [&'static str],
    /// Whether CI has the time for it.
    always: bool,
}

impl Control {
    /// One that CI runs.
    const fn new(
        name: &'static str,
        edits: &'static [Edit],
        harness: &'static [&'static str],
        says: &'static [&'static str],
    ) -> Self {
        Self {
            weakening: Weakening { name, edits },
            harness,
            says,
            always: true,
        }
    }

    /// One for campaigns.
    const fn for_campaigns(mut self) -> Self {
        self.always = false;
        self
    }

    /// How long it took to catch it, in seconds.
    fn run(&self, weakened: &Weakened) -> Result<f64> {
        let name = self.weakening.name;
        let Arguments { harness, .. } = parse(self.harness)?;
        let common = Common {
            binary: Some(weakened.named(name)),
            report: None,
        };
        let begun = Instant::now();
        match harness.run(&common) {
            Err(error) if error.is::<Violation>() => {
                let told = error.to_string();
                ensure!(
                    self.says.iter().any(|what| told.contains(what)),
                    "{name}: caught, but for none of {:?}: {told}",
                    self.says
                );
                println!("{name}: caught: {told}");
                Ok(begun.elapsed().as_secs_f64())
            }
            Err(error) => Err(error.context(name)),
            Ok(summary) => bail!("{name} was not caught:\n{summary}"),
        }
    }
}

const ALL: [&[Control]; 5] = [
    kill::CONTROLS,
    power::CONTROLS,
    edge::CONTROLS,
    shutdown::CONTROLS,
    slow::CONTROLS,
];

/// Builds the weakened program and runs the harnesses on it that must catch it.
pub fn run(args: &Args) -> Result<Summary> {
    let begun = Instant::now();
    let all = || ALL.into_iter().flatten();
    let chosen = all().filter(|one| one.always || args.all || !args.only.is_empty());
    // One harness beside another, but not beside itself: its folders have the same names.
    let mut by_harness: BTreeMap<&str, Vec<&Control>> = BTreeMap::new();
    let asked =
        |one: &&Control| one.weakening.name.contains(&args.only) || one.harness[0] == args.only;
    for one in chosen.filter(asked) {
        by_harness.entry(one.harness[0]).or_default().push(one);
    }
    ensure!(!by_harness.is_empty(), "no weakened build is called that");
    let weakened = Weakened::build(all().map(|one| one.weakening))?;
    let built = begun.elapsed().as_secs_f64();
    let mut missed = Vec::new();
    // They measure memory and time, so they have the machine to themselves.
    let alone = ["edge", "slow"].map(|name| by_harness.remove(name).unwrap_or_default());
    let mut tried: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = by_harness
            .values()
            .map(|controls| scope.spawn(|| caught(controls, &weakened)))
            .collect();
        let ends = runs.into_iter();
        ends.flat_map(|run| run.join().expect("a control panicked"))
            .collect()
    });
    tried.extend(caught(&alone.concat(), &weakened));
    let mut found = Vec::new();
    for one in tried {
        match one {
            Ok(one) => found.push(one),
            Err(error) => missed.push(format!("{error:#}")),
        }
    }
    ensure!(missed.is_empty(), "{}", missed.join("\n"));
    let mut summary = Summary::new("control", 0, u64::try_from(found.len())?, begun);
    summary.figure("built in seconds", built);
    for (name, harness, seconds) in found {
        summary.figure(format!("{name}: seconds for {harness}"), seconds);
    }
    Ok(summary)
}

/// Runs those of one harness, one after another.
fn caught(controls: &[&Control], weakened: &Weakened) -> Vec<Result<Caught>> {
    let runs = controls.iter();
    runs.map(|one| Ok((one.weakening.name, one.harness[0], one.run(weakened)?)))
        .collect()
}
