//! The log of `watch`: lines of text or JSON on standard error.

use std::io::Write;

use serde::Serialize;

use crate::app::now;
use crate::escape::escape_hidden;
use crate::packet::Timestamp;

/// The form of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WatchLogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object per line.
    Json,
}

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something that is as it should be.
    Info,
    /// Something that an operator should know of.
    Warning,
    /// Something that failed.
    Error,
}

/// Writes lines to a log.
pub struct Log {
    format: WatchLogFormat,
    out: Box<dyn Write>,
}

#[derive(Serialize)]
struct LineJson<'a> {
    time: Timestamp,
    level: LogLevel,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    message: &'a str,
}

impl Log {
    /// Begins a log that is written to `out`.
    #[must_use]
    pub fn new(format: WatchLogFormat, out: Box<dyn Write>) -> Log {
        Log { format, out }
    }

    /// Writes a line. A failed write is ignored, since there is no other place to report it.
    pub(super) fn write(&mut self, level: LogLevel, sensor: Option<&str>, message: &str) {
        let time = now();
        let _ = match self.format {
            WatchLogFormat::Json => {
                crate::escape::json_line(&mut self.out, &LineJson { time, level, sensor, message })
            }
            WatchLogFormat::Text => {
                let word = match level {
                    LogLevel::Info => "info",
                    LogLevel::Warning => "warning",
                    LogLevel::Error => "error",
                };
                let sensor = sensor.map(|name| format!("sensor {}: ", escape_hidden(name)));
                let sensor = sensor.unwrap_or_default();
                writeln!(self.out, "{} {word}: {sensor}{}", time.whole_seconds(), escape_hidden(message))
            }
        };
        let _ = self.out.flush();
    }

    pub(super) fn info(&mut self, sensor: Option<&str>, message: &str) {
        self.write(LogLevel::Info, sensor, message);
    }

    pub(super) fn warning(&mut self, sensor: Option<&str>, message: &str) {
        self.write(LogLevel::Warning, sensor, message);
    }

    pub(super) fn error(&mut self, sensor: Option<&str>, message: &str) {
        self.write(LogLevel::Error, sensor, message);
    }
}
