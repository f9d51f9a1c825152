//! What is logged and how.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;

use super::reader::{Form, Reader};
use super::secret::shown;
use super::source::Origin;

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `LOG_LEVEL`.
    pub level: LevelFilter,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// A file instead of standard error; set by the demonstration only.
    pub file: Option<std::path::PathBuf>,
}

crate::labels! {
    /// The form of a log line.
    LogFormat {
        /// One JSON object a line.
        Json => "json",
        /// For people.
        Text => "text",
    }
}

impl LogConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let form = Form {
            expected: "DEBUG, INFO, WARNING, ERROR or CRITICAL",
            example: "INFO",
        };
        let level = from.value("LOG_LEVEL", "INFO", form, level, LevelFilter::INFO);
        Self {
            level,
            format: format(from),
            file: None,
        }
    }
}

/// Python's names work as well.
fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_uppercase().as_str() {
        "TRACE" | "NOTSET" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "ERROR" | "CRITICAL" | "FATAL" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => return None,
    })
}

fn format(from: &mut Reader<'_>) -> LogFormat {
    let by_terminal = if std::io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let Some((text, origin)) = from.raw("LOG_FORMAT") else {
        from.show("LOG_FORMAT", by_terminal.label(), Origin::Default);
        return by_terminal;
    };
    let form = Form {
        expected: "json or text",
        example: "json",
    };
    let format = match LogFormat::from_label(&text.to_lowercase()) {
        Some(format) => format,
        None if text.contains("%(") => {
            from.warnings.push(
                "LOG_FORMAT is a Python format string, which is not used; text is".to_owned(),
            );
            LogFormat::Text
        }
        None => {
            from.mistake(
                "LOG_FORMAT",
                &format!("{:?} is not allowed", shown(text)),
                form,
            );
            LogFormat::Text
        }
    };
    from.show("LOG_FORMAT", format.label(), origin);
    format
}
