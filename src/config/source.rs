//! Where settings come from: the environment in production, a map in tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::dot_env;
use super::mistake::Mistake;
use crate::file;

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A socket that the process was started with.
    Inherited,
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
            Self::Inherited => "inherited socket",
            Self::Environment => "environment",
            Self::DotEnv => ".env",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Values by variable name.
type Layer = BTreeMap<String, String>;

/// Values by variable name, in layers.
#[derive(Clone, Default)]
pub struct Source {
    inherited: Layer,
    environment: Layer,
    dot_env: Layer,
    file: Layer,
    file_path: Option<PathBuf>,
    dot_env_path: Option<PathBuf>,
    /// Variables of the environment whose values are no text.
    unreadable: BTreeSet<String>,
    /// A file that is there, or named, and cannot be read.
    pub(super) mistakes: Vec<Mistake>,
}

impl Source {
    /// The process's environment, `.env` in the working folder, and the file that they name.
    #[must_use]
    pub fn from_process() -> Self {
        Self::layered(std::env::vars_os(), Path::new(".env"))
    }

    /// The same with an environment of the caller's.
    #[must_use]
    pub fn layered<T: Into<OsString>>(
        environment: impl IntoIterator<Item = (T, T)>,
        dot_env: &Path,
    ) -> Self {
        let mut source = Self::default();
        for (name, value) in environment {
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            match value.into().into_string() {
                Ok(value) => drop(source.environment.insert(name, value)),
                Err(_) => drop(source.unreadable.insert(name)),
            }
        }
        source.dot_env_path = Some(dot_env.to_owned());
        source.dot_env = source.noting(read_dot_env(dot_env));
        source.file_path = source.get("CONFIG_FILE").map(|(path, _)| path.into());
        if let Some(path) = source.file_path.clone() {
            source.file = source.noting(read_toml(&path));
        }
        source
    }

    /// With settings that nothing overrides.
    #[must_use]
    pub fn inheriting(mut self, settings: Vec<(String, String)>) -> Self {
        self.inherited = settings.into_iter().collect();
        self
    }

    fn noting(&mut self, read: Result<Layer, Mistake>) -> Layer {
        read.unwrap_or_else(|mistake| {
            self.mistakes.push(mistake);
            Layer::new()
        })
    }

    /// The files that may hold values.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let files = [self.dot_env_path.clone(), self.file_path.clone()];
        files.into_iter().flatten().collect()
    }

    /// Whether the environment has a value that is no text.
    #[must_use]
    pub fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
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
            (&self.inherited, Origin::Inherited),
            (&self.environment, Origin::Environment),
            (&self.dot_env, Origin::DotEnv),
            (&self.file, Origin::File),
        ];
        layers.into_iter().find_map(|(layer, origin)| {
            let value = layer.get(name)?.trim();
            (!value.is_empty()).then_some((value, origin))
        })
    }

    /// What the environment and `.env` set, whoever it is for: name, value and where it is.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &str, Origin)> {
        let layers = [
            (&self.environment, Origin::Environment),
            (&self.dot_env, Origin::DotEnv),
        ];
        layers.into_iter().flat_map(|(layer, origin)| {
            let set = layer.iter().filter(|(_, value)| !value.trim().is_empty());
            set.map(move |(name, value)| (name.as_str(), value.as_str(), origin))
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

fn read_dot_env(path: &Path) -> Result<Layer, Mistake> {
    let failed = |problem: String| {
        Mistake::new(
            &path.display().to_string(),
            &problem,
            "lines of the form NAME=value; a value with a quote, a backslash or a $ in it stands in single \
             quotes",
            "PORT=8000",
        )
    };
    let text = match file::read(path, file::SMALL) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Layer::new()),
        Err(error) => return Err(failed(format!("cannot be read: {error}"))),
    };
    // The library's message would show the line, which may hold a secret.
    let text = String::from_utf8(text).map_err(|_| failed("is not UTF-8".to_owned()))?;
    dot_env::parse(&text).map_err(failed)
}

fn read_toml(path: &Path) -> Result<Layer, Mistake> {
    let failed = |problem: String| {
        Mistake::new(
            "CONFIG_FILE",
            &format!("{}: {problem}", path.display()),
            "the path of a readable TOML file",
            "/etc/match-list-processor.toml",
        )
    };
    let text = file::read_text(path, file::SMALL).map_err(|error| failed(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        failed(format!(
            "line {line} is not valid TOML: {}",
            error.message()
        ))
    })?;
    let mut flat = Layer::new();
    flatten("", &table, &mut flat).map_err(failed)?;
    Ok(flat)
}

/// `[redis] url = …` is `REDIS_URL`.
fn flatten(prefix: &str, table: &toml::Table, flat: &mut Layer) -> Result<(), String> {
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
        if flat.insert(name.clone(), text).is_some() {
            return Err(format!("{} is set twice", name.to_lowercase()));
        }
    }
    Ok(())
}
