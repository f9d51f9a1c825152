//! Where settings come from: the environment in production, a map in tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::mistake::{ConfigErrors, Mistake};

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Environment,
    /// The `.env` file.
    DotEnv,
    /// The TOML file named by `CONFIG_FILE`.
    File,
    /// Nowhere: the default.
    Default,
}

impl Origin {
    /// As `check-config` shows it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::DotEnv => ".env",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Values by variable name, in three layers.
#[derive(Clone, Default)]
pub struct Source {
    environment: BTreeMap<String, String>,
    dot_env: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    file_path: Option<PathBuf>,
}

impl Source {
    /// The process's environment, `.env` in the working folder, and the file that they name.
    ///
    /// # Errors
    /// When a file that is there, or named, cannot be read.
    pub fn from_process() -> Result<Self, ConfigErrors> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::layered(environment.collect(), Path::new(".env"))
    }

    /// The same with an environment of the caller's.
    ///
    /// # Errors
    /// When a file that is there, or named, cannot be read.
    pub fn layered(
        environment: BTreeMap<String, String>,
        dot_env: &Path,
    ) -> Result<Self, ConfigErrors> {
        let mut source = Self {
            environment,
            ..Self::default()
        };
        source.dot_env = read_dot_env(dot_env)?;
        if let Some((path, _)) = source.get("CONFIG_FILE") {
            let path = PathBuf::from(path);
            source.file = read_toml(&path)?;
            source.file_path = Some(path);
        }
        Ok(source)
    }

    /// Only these variables.
    #[must_use]
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let owned = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            environment: owned.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The value that takes effect; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&str, Origin)> {
        let layers = [
            (&self.environment, Origin::Environment),
            (&self.dot_env, Origin::DotEnv),
            (&self.file, Origin::File),
        ];
        layers.into_iter().find_map(|(layer, origin)| {
            let value = layer.get(name)?.trim();
            (!value.is_empty()).then_some((value, origin))
        })
    }

    /// A mistake for each key of the file that is no setting.
    #[must_use]
    pub fn unknown_keys(&self, known: &BTreeSet<String>) -> Vec<Mistake> {
        let unknown = self.file.keys().filter(|name| !known.contains(*name));
        unknown
            .map(|name| {
                let nearest = known
                    .iter()
                    .map(|candidate| (strsim::jaro_winkler(candidate, name), candidate))
                    .max_by(|a, b| a.0.total_cmp(&b.0))
                    .filter(|(likeness, _)| *likeness > 0.8);
                let hint = nearest.map_or_else(String::new, |(_, candidate)| {
                    format!("; did you mean {}?", candidate.to_lowercase())
                });
                let file = self.file_path.as_deref().unwrap_or(Path::new("")).display();
                Mistake::new(
                    &name.to_lowercase(),
                    &format!("is no setting of this program{hint}"),
                    &format!("the name of a setting, in {file}"),
                    "port = 8000",
                )
            })
            .collect()
    }
}

fn read_dot_env(path: &Path) -> Result<BTreeMap<String, String>, ConfigErrors> {
    let failed = |problem: String| {
        ConfigErrors::one(Mistake::new(
            &path.display().to_string(),
            &problem,
            "lines of the form NAME=value",
            "PORT=8000",
        ))
    };
    let entries = match dotenvy::from_path_iter(path) {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(_) => return Err(failed("cannot be read".to_owned())),
    };
    // The library's message would show the line, which may hold a secret.
    let read = entries.enumerate().map(|(n, entry)| {
        entry.map_err(|_| failed(format!("cannot be understood after entry {n}")))
    });
    read.collect()
}

fn read_toml(path: &Path) -> Result<BTreeMap<String, String>, ConfigErrors> {
    let failed = |problem: String| {
        ConfigErrors::one(Mistake::new(
            "CONFIG_FILE",
            &format!("{}: {problem}", path.display()),
            "the path of a readable TOML file",
            "/etc/match-list-processor.toml",
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        failed(format!(
            "line {line} is not valid TOML: {}",
            error.message()
        ))
    })?;
    let mut flat = BTreeMap::new();
    flatten("", &table, &mut flat).map_err(failed)?;
    Ok(flat)
}

/// `[redis] url = …` is `REDIS_URL`.
fn flatten(
    prefix: &str,
    table: &toml::Table,
    flat: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.to_uppercase());
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            toml::Value::Table(inner) => {
                flatten(&format!("{name}_"), inner, flat)?;
                continue;
            }
            _ => {
                return Err(format!(
                    "{} must be a text, a number or a boolean",
                    name.to_lowercase()
                ));
            }
        };
        flat.insert(name, text);
    }
    Ok(())
}
