//! Kills the daemon under load and looks for what was lost.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::support::daemon::{Start, request};
use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result, evidence, random};

/// How much.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kills.
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// Decides when each kill comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the rounds.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let mut acknowledged = 0;
    for round in 0..args.rounds {
        acknowledged += one(args, common, round)?;
    }
    let mut summary = Summary::new("kill", args.seed, args.rounds, begun);
    summary.figure("triggers acknowledged", acknowledged);
    summary.figure("acknowledged triggers lost", 0);
    Ok(summary)
}

fn one(args: &Args, common: &Common, round: u64) -> Result<u32> {
    let folder = evidence(&format!("kill-{}-{round}", args.seed))?;
    std::fs::write(folder.join("list.json"), "[]")?;
    let start = Start::new(&common.binary(), &folder)
        .with(
            "API_BASE_URL",
            format!("file://{}/list.json", folder.display()),
        )
        .with(
            "ASSET_STORE_URL",
            format!("file://{}/files", folder.display()),
        );
    let mut daemon = start.start()?;
    let public = daemon.public;
    let sender = std::thread::spawn(move || {
        let mut ids = Vec::new();
        while let Ok(answered) = request(public, "POST", "/process", "") {
            let body: serde_json::Value = serde_json::from_slice(&answered.body)?;
            ids.push(body["trigger_id"].as_str().context("no id")?.to_owned());
        }
        Ok::<_, anyhow::Error>(ids)
    });
    std::thread::sleep(Duration::from_millis(random(args.seed, round).u64(..150)));
    daemon.kill();
    daemon.wait()?;
    let ids = sender.join().expect("the sender panicked")?;
    let daemon = start.start()?;
    for id in &ids {
        let known = daemon.get(&format!("/triggers/{id}"))?;
        if known["trigger_id"] != *id {
            Err(Violation {
                harness: "kill",
                seed: args.seed,
                round,
                what: format!("{id} was acknowledged and is not known any more: {known}"),
                again: format!("kill --seed {} --rounds {}", args.seed, round + 1),
                kept: folder.clone(),
            })?;
        }
    }
    daemon.stop()?;
    ensure!(!folder.as_os_str().is_empty());
    std::fs::remove_dir_all(&folder)?;
    Ok(u32::try_from(ids.len())?)
}
