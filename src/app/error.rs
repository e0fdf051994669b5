//! Errors of the use cases, in the words of the user's request.

use crate::capture::CaptureError;
use crate::history::SensorFault;
use crate::incident::IncidentError;
use crate::rules::RuleErrors;
use crate::sample::{ReportError, VictimError};
use crate::store::StoreError;

/// The reason why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A store failed or refused a request.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sensor's settings are invalid.
    #[error(transparent)]
    Sensor(#[from] SensorFault),
    /// A change of an incident is not allowed.
    #[error(transparent)]
    Incident(#[from] IncidentError),
    /// Rules do not compile.
    #[error("{0}")]
    Rules(#[from] RuleErrors),
    /// No victim can be determined, or a given victim has no packet.
    #[error("{input}: {error}")]
    Victim {
        /// The capture or report.
        input: String,
        /// The reason.
        error: VictimError,
    },
    /// A log has no dates where dates are needed.
    #[error("{0}: its times have no date, and a history needs days; give --date YYYY-MM-DD")]
    NoDates(String),
    /// A capture covers time that is already recorded.
    #[error(
        "{input}: {seconds} s of its time are recorded already, by {stored}; nothing was stored, since packets would count twice: give --overlap skip to leave out packets of that time, or --overlap add if another recorder made this capture"
    )]
    Overlap {
        /// The capture.
        input: String,
        /// The name of a stored capture, and the number of others.
        stored: String,
        /// The overlapping time in seconds, with three decimals.
        seconds: String,
    },
    /// A file had different content in two readings.
    #[error(
        "{0}: it was changed while it was read; nothing was stored: feed it again when it is complete, or a copy of it"
    )]
    ChangedWhileRead(String),
    /// A sample report was refused.
    #[error("{path}{place}: {error}")]
    Report {
        /// The path of the report, control characters escaped.
        path: String,
        /// `:line:column`, where known.
        place: String,
        /// The reason.
        error: ReportError,
    },
    /// A YAML file was refused.
    #[error("{path}{place}: {message}")]
    Yaml {
        /// The path of the file, control characters escaped.
        path: String,
        /// `:line:column`, where known.
        place: String,
        /// The reason.
        message: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The path, control characters escaped.
        path: String,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Any other error that the user can correct, as a complete message.
    #[error("{0}")]
    Usage(String),
}

impl AppError {
    /// Returns whether a single capture is the cause, so that the other captures can still be read.
    #[must_use]
    pub fn concerns_capture(&self) -> bool {
        matches!(
            self,
            AppError::Capture(_)
                | AppError::NoDates(_)
                | AppError::Overlap { .. }
                | AppError::ChangedWhileRead(_)
                | AppError::Victim { .. }
        )
    }

    /// Returns the error for a failed access to a file.
    #[must_use]
    pub fn file(path: &std::path::Path, error: std::io::Error) -> AppError {
        AppError::File { path: crate::escape::path(path), error }
    }

    /// Returns the error for a victim that cannot be named in `input`, a capture or report.
    #[must_use]
    pub fn victim(input: String, error: VictimError) -> AppError {
        AppError::Victim { input, error }
    }

    /// Returns the error for a refused sample report.
    #[must_use]
    pub fn report(path: &std::path::Path, error: ReportError) -> AppError {
        let place = match &error {
            ReportError::Yaml(error) => error.place(),
            _ => String::new(),
        };
        AppError::Report { path: crate::escape::path(path), place, error }
    }

    /// Returns the error for refused YAML.
    #[must_use]
    pub fn yaml(path: &std::path::Path, error: &crate::yaml::YamlError) -> AppError {
        AppError::Yaml {
            path: crate::escape::path(path),
            place: error.place(),
            message: error.message.clone(),
        }
    }
}
