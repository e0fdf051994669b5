//! Use case: dates worth marking in a plot, out of a YAML file.

use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::AppError;

/// A date worth marking.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it happened.
    pub date: Date,
    /// What happened.
    pub label: String,
}

/// Reads a list of events.
///
/// # Errors
/// When the file cannot be read or is no such list.
pub fn load(path: &Path) -> Result<Vec<Event>, AppError> {
    let text = std::fs::read_to_string(path).map_err(|error| AppError::file(path, error))?;
    crate::yaml::parse(&text).map_err(|error| AppError::yaml(path, &error))
}
