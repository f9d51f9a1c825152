//! `check-config`: the settings as they take effect, and whether what they name can be written.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::output::print;
use super::settings;
use crate::app::Failure;
use crate::config::{AssetStore, Config};
use crate::store::FILE_NAME;

/// Prints the settings, or fails with every mistake in them; and with every folder that this user
/// cannot write to.
///
/// # Errors
/// The mistakes, all together; or the folders, behind the settings.
pub fn run() -> Result<(), Failure> {
    let config = settings()?;
    let warnings = config.warnings.iter().chain(&config.private_warnings);
    let warnings = warnings.map(|warning| format!("warning: {warning}\n"));
    print(&format!(
        "{}{}",
        config.effective_table(),
        warnings.collect::<String>()
    ))?;
    let unwritable: Vec<String> = places(&config)
        .into_iter()
        .filter_map(|(name, folder)| {
            let error = tried(name, &folder).err()?;
            Some(format!("\n  {name}: {error}"))
        })
        .collect();
    match unwritable.is_empty() {
        true => Ok(()),
        false => Err(Failure::Unusable(format!(
            "the settings are right, but this user cannot write where they say; run it as the user and in \
             the environment of the daemon, or give that user the folder:{}",
            unwritable.concat()
        ))),
    }
}

/// The folders that the daemon writes to. The exported list is in the data folder.
fn places(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let mut places = vec![("DATA_FOLDER", config.store.data_folder.clone())];
    if let AssetStore::Object(url) = &config.assets.store
        && url.scheme() == "file"
        && let Ok(folder) = url.to_file_path()
    {
        places.push(("ASSET_STORE_URL", folder));
    }
    places
}

/// Tries to write there and leaves nothing behind: in the folder, or, as it would be created, in the
/// nearest one above it that exists.
fn tried(name: &str, folder: &Path) -> Result<(), String> {
    let mut existing = folder;
    while let Err(error) = existing.symlink_metadata()
        && error.kind() == ErrorKind::NotFound
    {
        existing = match existing.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    let shown = folder.display();
    if existing != folder {
        let above = existing.display();
        return write(existing)
            .map_err(|error| format!("{shown} cannot be created in {above}: {error}"));
    }
    write(folder).map_err(|error| format!("{shown} cannot be written: {error}"))?;
    let store = folder.join(FILE_NAME);
    match (name, OpenOptions::new().append(true).open(&store)) {
        ("DATA_FOLDER", Err(error)) if error.kind() != ErrorKind::NotFound => {
            Err(format!("{} cannot be written: {error}", store.display()))
        }
        _ => Ok(()),
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".check-config-{}", std::process::id()));
    let mut new = OpenOptions::new();
    let file = new.write(true).create_new(true).open(&probe)?;
    // A full disk takes names, and no bytes.
    let written = io::Write::write_all(&mut &file, &[0; 4096]).and_then(|()| file.sync_all());
    std::fs::remove_file(&probe)?;
    written
}
