//! What can go wrong in a use case, in the words of the one who asked for it.

use crate::capture::CaptureError;
use crate::history::SensorFault;
use crate::rules::RuleErrors;
use crate::sample::{ReportError, VictimError};
use crate::store::StoreError;

/// Why a use case could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A capture that cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A store that failed or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sensor that cannot be.
    #[error(transparent)]
    Sensor(#[from] SensorFault),
    /// Rules that do not compile.
    #[error("{0}")]
    Rules(#[from] RuleErrors),
    /// No victim can be named, or the given victim has no packet.
    #[error("{input}: {error}")]
    Victim {
        /// The capture or report.
        input: String,
        /// Why.
        error: VictimError,
    },
    /// A log without dates where dates are needed.
    #[error("{0}: its times have no date, and a history needs days; give --date YYYY-MM-DD")]
    NoDates(String),
    /// A capture of time that is recorded already.
    #[error(
        "{input}: {seconds} s of its time are recorded already, by {stored}; nothing was stored, since packets would count twice: give --overlap skip to leave out packets of that time, or --overlap add if another recorder made this capture"
    )]
    Overlap {
        /// The capture.
        input: String,
        /// The stored captures.
        stored: String,
        /// The overlapping time.
        seconds: String,
    },
    /// A file that two readings show with different bytes.
    #[error(
        "{0}: it was changed while it was read; nothing was stored: feed it again when it is complete, or a copy of it"
    )]
    Changed(String),
    /// A sample report that was refused.
    #[error("{path}{place}: {error}")]
    Report {
        /// The report.
        path: String,
        /// `:line:column`, where known.
        place: String,
        /// Why.
        error: ReportError,
    },
    /// A YAML file that was refused.
    #[error("{path}{place}: {message}")]
    Yaml {
        /// The file.
        path: String,
        /// `:line:column`, where known.
        place: String,
        /// Why.
        message: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The path, control characters escaped.
        path: String,
        /// The system's reason.
        error: std::io::Error,
    },
    /// Anything that the user can mend, said whole.
    #[error("{0}")]
    Usage(String),
}

impl AppError {
    /// Returns whether a single capture is the cause, so that the other captures can still be read.
    #[must_use]
    pub fn is_of_a_capture(&self) -> bool {
        matches!(
            self,
            AppError::Capture(_)
                | AppError::NoDates(_)
                | AppError::Overlap { .. }
                | AppError::Changed(_)
                | AppError::Victim { .. }
        )
    }

    /// A failed access to a file.
    #[must_use]
    pub fn file(path: &std::path::Path, error: std::io::Error) -> AppError {
        AppError::File { path: crate::escape::path(path), error }
    }

    /// Returns the error for a victim that cannot be named in `input`, a capture or report.
    #[must_use]
    pub fn victim(input: String, error: VictimError) -> AppError {
        AppError::Victim { input, error }
    }

    /// A refused sample report.
    #[must_use]
    pub fn report(path: &std::path::Path, error: ReportError) -> AppError {
        let place = match &error {
            ReportError::Yaml(error) => error.place(),
            _ => String::new(),
        };
        AppError::Report { path: crate::escape::path(path), place, error }
    }

    /// Refused YAML.
    #[must_use]
    pub fn yaml(path: &std::path::Path, error: &crate::yaml::YamlError) -> AppError {
        AppError::Yaml {
            path: crate::escape::path(path),
            place: error.place(),
            message: error.message.clone(),
        }
    }
}
