//! Holds a disk state against everything that was told before the cut.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, bail, ensure};
use tokio::runtime::Runtime;
use url::Url;

use super::Result;
use super::cut::{State, Syncs};
use super::disk::Disk;
use super::facts::Fact;
use super::promises::Promises;
use super::recording::{Act, Commit, EXPORT, Recording};
use super::recovered::{DATA, Recovered, recover};
use super::trace::Moment;

/// A recording, and what was worked out of it.
pub struct Subject {
    /// What happened.
    pub recording: Recording,
    /// When it was on the disk.
    pub syncs: Syncs,
    /// For each commit: from when on it lasts.
    lasting: Vec<Moment>,
    /// What recovery makes of the store after each commit; worked out when it is asked for.
    stores: Mutex<HashMap<usize, u64>>,
}

impl Subject {
    /// Works out what was synced when.
    pub fn new(recording: Recording) -> Self {
        let syncs = Syncs::of(&recording);
        let lasts = |commit: &Commit| {
            let events = recording.events.iter();
            let after = events.filter(|event| {
                matches!(event.act, Act::Sync(node) if node == commit.log)
                    && event.begun > commit.ended
            });
            after.map(|sync| sync.ended).min().unwrap_or(Moment::MAX)
        };
        let lasting = recording.commits.iter().map(lasts).collect();
        Self {
            syncs,
            lasting,
            recording,
            stores: Mutex::default(),
        }
    }

    /// What had been told before the cut, and when; at 0 what was told before the recording.
    fn told(&self, cut: Moment) -> impl Iterator<Item = (Moment, &Fact)> {
        let before = self.recording.told.iter().map(|fact| (0, fact));
        let events = self.recording.events.iter();
        let since = events.filter_map(move |event| match &event.act {
            Act::Tell(fact) if event.begun < cut => Some((event.begun, fact)),
            _ => None,
        });
        before.chain(since)
    }

    /// Whether nothing had been told before the cut: a folder that was empty is being set up.
    pub fn is_first_start(&self, cut: Moment) -> bool {
        self.told(cut).next().is_none()
    }

    /// All that had been told before the cut.
    pub fn facts(&self, cut: Moment) -> Vec<Fact> {
        self.told(cut).map(|(_, fact)| fact.clone()).collect()
    }

    /// What a cut leaves that hits between the last commit of a cycle and the new name of its
    /// exported list, and what had been told.
    pub fn between_commit_and_export(&self) -> Result<(Disk, Vec<Fact>)> {
        let mut publications = self.recording.publications.iter();
        let last = publications.rfind(|one| one.path.ends_with(EXPORT));
        let cut = last.context("nothing was exported")?.begun;
        Ok((State::whole(&self.recording, cut), self.facts(cut)))
    }

    /// The first promise that the state breaks, if any. Uses the folder, which must not be there.
    pub fn check(&self, state: &State, runtime: &Runtime, folder: &Path) -> Result<()> {
        self.exported(state)?;
        state.disk.write_to(folder)?;
        let recovered = recover(runtime, folder).context("the store does not open")?;
        self.holds(&recovered, state.cut, &state.disk)?;
        self.is_one_commit(&recovered, state.cut, runtime, folder)
    }

    /// What must be true of a recovered store whatever the program did in the meantime.
    pub fn holds(&self, recovered: &Recovered, cut: Moment, disk: &Disk) -> Result<()> {
        recovered.integrity()?;
        Promises::of(self.told(cut).map(|(_, fact)| fact)).hold(recovered)?;
        recovered.outbox_is_whole()?;
        self.delivered_files_are_there(recovered, disk)?;
        recovered.export_equals_snapshot()?;
        recovered.nothing_set_aside()
    }

    /// Before anybody repairs it: whole, and not older than the last cycle that was told.
    fn exported(&self, state: &State) -> Result<()> {
        let path = Path::new(DATA).join(EXPORT);
        let mut versions: Vec<Option<&[u8]>> = vec![self.recording.initial.read(&path)];
        let publications = self.recording.publications.iter();
        let published: Vec<_> = publications
            .filter(|one| one.path == path && one.begun < state.cut)
            .collect();
        versions.extend(published.iter().map(|one| Some(one.bytes.as_slice())));
        let of_cycle = |fact: &Fact| matches!(fact, Fact::Served { .. } | Fact::Ended { .. });
        let told = self.told(state.cut).filter(|(_, fact)| of_cycle(fact));
        let last = told.map(|(at, _)| at).max().unwrap_or(0);
        let oldest = published.iter().filter(|one| one.ended < last).count();
        let found = state.disk.read(&path);
        let Some(version) = versions.iter().rposition(|version| *version == found) else {
            bail!(
                "the exported list is none that was ever written ({} bytes)",
                found.map_or(0, <[u8]>::len)
            );
        };
        ensure!(
            version >= oldest,
            "the exported list is version {version}, and a cycle was told that had written \
             version {oldest}"
        );
        Ok(())
    }

    /// A file that the store takes for delivered to a folder is in it, whole.
    fn delivered_files_are_there(&self, recovered: &Recovered, disk: &Disk) -> Result<()> {
        let urls: Vec<String> = recovered.column(
            "SELECT a.url FROM assets AS a WHERE a.url LIKE 'file:%' AND a.stored IS NOT NULL",
        )?;
        for url in urls {
            let path = Url::parse(&url)?.to_file_path();
            let path = path.map_err(|()| anyhow::anyhow!("{url} is no path"))?;
            // The binary may have delivered more since it was started on a state, elsewhere.
            let Ok(path) = path.strip_prefix(&self.recording.root) else {
                continue;
            };
            let found = disk.read(path);
            let publications = self.recording.publications.iter();
            let mut whole = publications
                .filter(|one| one.path == path)
                .map(|one| Some(one.bytes.as_slice()))
                .chain([self.recording.initial.read(path)]);
            ensure!(
                found.is_some() && whole.any(|bytes| bytes == found),
                "{} is delivered for the store, and missing or torn on the disk",
                path.display()
            );
        }
        Ok(())
    }

    /// The store is exactly as one commit left it: the last one that lasts, or one that had begun
    /// after it.
    fn is_one_commit(
        &self,
        recovered: &Recovered,
        cut: Moment,
        runtime: &Runtime,
        folder: &Path,
    ) -> Result<()> {
        let found = recovered.digest()?;
        let commits = &self.recording.commits;
        let oldest = self.lasting.iter().rposition(|&lasts| lasts < cut);
        let oldest = oldest.map_or(0, |index| index + 1);
        let newest = commits
            .iter()
            .take_while(|commit| commit.begun < cut)
            .count();
        for count in (oldest..=newest).rev() {
            if self.store_after(count, runtime, folder)? == found {
                return Ok(());
            }
        }
        bail!("the store is as none of the commits {oldest} to {newest} left it");
    }

    /// What recovery makes of the store after so many commits.
    fn store_after(&self, count: usize, runtime: &Runtime, folder: &Path) -> Result<u64> {
        let known = |stores: &HashMap<usize, u64>| stores.get(&count).copied();
        if let Some(digest) = known(&self.stores.lock().expect("no check panics")) {
            return Ok(digest);
        }
        let moment = match count.checked_sub(1) {
            Some(last) => self.recording.commits[last].begun + 1,
            None => 0,
        };
        let folder = folder.with_added_extension("commit");
        State::whole(&self.recording, moment).write_to(&folder)?;
        let digest = recover(runtime, &folder)
            .with_context(|| format!("the store after commit {count} does not open"))?
            .digest()?;
        std::fs::remove_dir_all(&folder)?;
        let mut stores = self.stores.lock().expect("no check panics");
        stores.insert(count, digest);
        Ok(digest)
    }
}
