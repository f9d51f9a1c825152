//! Cuts the power, on paper: records what a run writes and syncs, rebuilds the disk states that a
//! power cut at any moment could have left, and opens each with the real recovery code.

mod check;
mod cut;
mod disk;
mod facts;
mod fates;
mod findings;
mod promises;
mod recorder;
mod recording;
mod recovered;
mod scenario;
mod stage;
mod trace;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;

use crate::support::summary::Summary;
use crate::support::violation::Violation;
use crate::support::{Common, Result, evidence, random};
use check::Subject;
use cut::State;
use disk::Disk;
use findings::{Findings, tell_recordings};
use scenario::{SCENARIOS, Scenario};

/// How much.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Disk states, shared between the recordings.
    #[arg(long, default_value_t = 2000)]
    states: u64,
    /// Decides where the power is cut and what is lost.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this state.
    #[arg(long)]
    state: Option<u64>,
    /// Reads the recordings that a run before left here.
    #[arg(long, value_name = "FOLDER")]
    recordings: Option<PathBuf>,
}

/// Of so many states, one is started by the real binary too.
const BY_BINARY: u64 = 100;

/// Records, cuts, checks.
pub fn run(args: &Args, common: &Common) -> Result<Summary> {
    let begun = Instant::now();
    let harness = Harness::prepare(args, common)?;
    let recorded = begun.elapsed().as_secs_f64();
    let findings = harness.check_all(args)?;
    let mut summary = Summary::new("power", args.seed, args.states, begun);
    summary.figure("seconds of recording", recorded);
    let subjects = harness.subjects.iter().map(|(_, subject)| subject);
    tell_recordings(subjects, &mut summary);
    findings.tell(&mut summary);
    if args.recordings.is_none() {
        std::fs::remove_dir_all(&harness.folder)?;
    }
    Ok(summary)
}

struct Harness {
    seed: u64,
    binary: PathBuf,
    /// The recordings, and what is kept of a violation.
    folder: PathBuf,
    /// Where disk states are tried.
    scratch: tempfile::TempDir,
    subjects: Vec<(&'static Scenario, Subject)>,
}

impl Harness {
    fn prepare(args: &Args, common: &Common) -> Result<Self> {
        let folder = match &args.recordings {
            Some(folder) => folder.clone(),
            None => evidence(&format!("power-{}", args.seed))?,
        };
        // Memory, where there is such a place: a state is written, read once and removed.
        let memory = Path::new("/dev/shm");
        let mut scratch = tempfile::Builder::new();
        let scratch = scratch.prefix("power-cut-");
        let scratch = match memory.is_dir() {
            true => scratch.tempdir_in(memory)?,
            false => scratch.tempdir()?,
        };
        let mut harness = Self {
            seed: args.seed,
            binary: common.binary(),
            folder,
            scratch,
            subjects: Vec::new(),
        };
        let anew = args.recordings.is_none();
        let (later, first): (Vec<_>, Vec<_>) = SCENARIOS.iter().partition(|one| one.after_a_cut);
        for together in [first, later] {
            harness.record(together, anew)?;
        }
        Ok(harness)
    }

    /// Records these scenarios at the same time: most of the time is the receiver's.
    fn record(&mut self, scenarios: Vec<&'static Scenario>, anew: bool) -> Result<()> {
        let this = &*self;
        let recorded = std::thread::scope(|scope| {
            let record = |one: &'static Scenario| {
                let recording = move || this.recording(one, anew).context(one.name);
                (one, scope.spawn(recording))
            };
            let under_way: Vec<_> = scenarios.into_iter().map(record).collect();
            let ended = under_way.into_iter().map(|(one, thread)| {
                let recording = thread.join().expect("a recording panicked")?;
                anyhow::Ok((one, Subject::new(recording)))
            });
            ended.collect::<Result<Vec<_>>>()
        })?;
        self.subjects.extend(recorded);
        Ok(())
    }

    fn recording(&self, scenario: &Scenario, anew: bool) -> Result<recording::Recording> {
        let (disk, told) = match scenario.after_a_cut {
            true => self.after_a_cut()?,
            false => (Disk::new(), Vec::new()),
        };
        let folder = self.folder.join(scenario.name);
        if anew {
            scenario.run(&self.binary, &folder, &disk)?;
        }
        Scenario::read(&folder, &disk, told)
    }

    /// What a cut left, and what had been told before it. With every other seed it is the cut
    /// between a cycle's commit and its export: the next start has most to put in order then.
    fn after_a_cut(&self) -> Result<(Disk, Vec<facts::Fact>)> {
        let subject = &self.subjects[0].1;
        if self.seed % 2 == 1 {
            return subject.between_commit_and_export();
        }
        let mut rng = random(self.seed, u64::MAX);
        let state = State::random(&subject.recording, &subject.syncs, &mut rng);
        let told = subject.facts(state.cut);
        Ok((state.disk, told))
    }

    fn check_all(&self, args: &Args) -> Result<Findings> {
        let first = args.state.unwrap_or(0);
        let end = args.state.map_or(args.states, |state| state + 1);
        let next = AtomicU64::new(first);
        let findings = Mutex::new(Findings::default());
        let threads = std::thread::available_parallelism()?.get();
        let work = || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(());
                }
                match self.check(number, &runtime) {
                    Ok((state, is_first)) => {
                        findings
                            .lock()
                            .expect("nobody panics")
                            .add(&state, is_first);
                    }
                    Err(error) => {
                        // The others finish what they have begun.
                        next.store(end, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let ended = workers
                .into_iter()
                .map(|one| one.join().expect("a check panicked"));
            ended
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Result<()>>()
        })?;
        Ok(findings.into_inner()?)
    }

    /// The state, once it was found to be good, and whether it is one of a first start.
    fn check(&self, number: u64, runtime: &tokio::runtime::Runtime) -> Result<(State, bool)> {
        let nth = usize::try_from(number)? % self.subjects.len();
        let (scenario, subject) = &self.subjects[nth];
        let mut rng = random(self.seed, number);
        let state = State::random(&subject.recording, &subject.syncs, &mut rng);
        let folder = self.scratch.path().join(number.to_string());
        let mut checked = subject.check(&state, runtime, &folder);
        let _ = std::fs::remove_dir_all(&folder);
        if checked.is_ok() && number % BY_BINARY == BY_BINARY / 2 {
            checked = self.start(scenario, subject, &state, &folder);
            let _ = std::fs::remove_dir_all(&folder);
        }
        match checked {
            Ok(()) => {
                let is_first = subject.is_first_start(state.cut);
                Ok((state, is_first))
            }
            Err(error) => Err(self.violation(number, scenario, &state, &error)),
        }
    }

    /// The binary as it is shipped starts on the state, runs a cycle and stops in order.
    fn start(
        &self,
        scenario: &Scenario,
        subject: &Subject,
        state: &State,
        folder: &Path,
    ) -> Result<()> {
        let root = folder.join("disk");
        state.disk.write_to(&root)?;
        scenario.start_once(&self.binary, folder)?;
        subject.holds(&recovered::Recovered::read(&root)?, state.cut, &state.disk)
    }

    fn violation(
        &self,
        number: u64,
        scenario: &Scenario,
        state: &State,
        error: &anyhow::Error,
    ) -> anyhow::Error {
        let kept = self.folder.join(format!("state-{number}"));
        if let Err(error) = state.disk.write_to(&kept) {
            return error;
        }
        let system = if state.journal { "journal" } else { "bare" };
        let line = state.cut / 2;
        let Ok(again) = std::env::current_exe() else {
            return anyhow::anyhow!("{error:#}");
        };
        Violation {
            harness: "power",
            seed: self.seed,
            round: number,
            what: format!(
                "{error:#}\n  recording {}, cut at line {line} of its traces, {system} file \
                 system, {}: {:?}",
                scenario.name, state.manner, state.tally
            ),
            again: format!(
                "{} power --seed {} --state {number} --recordings {}",
                again.display(),
                self.seed,
                self.folder.display()
            ),
            kept,
        }
        .into()
    }
}
