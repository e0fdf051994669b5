//! Use case: read a folder of rules, or take those that ship.

use std::path::Path;

use walkdir::WalkDir;

use crate::rules::{RuleError, RuleErrors, Rules};

use super::AppError;

/// The rules of a folder; without one, those of this build.
///
/// # Errors
/// When the folder cannot be read or any rule is refused.
pub fn load(folder: Option<&Path>) -> Result<Rules, AppError> {
    match folder {
        None => Ok(Rules::shipped()?),
        Some(folder) => Ok(Rules::compile(&files(folder)?)?),
    }
}

/// All rule files of a folder, by path; hidden ones and others than YAML are passed over.
fn files(folder: &Path) -> Result<Vec<(String, String)>, AppError> {
    let mut all = Vec::new();
    let mut errors = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| AppError::file(folder, error.into()))?;
        let is_yaml =
            entry.path().extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !entry.file_type().is_file() || !is_yaml || hidden {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(|error| AppError::file(entry.path(), error))?;
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = crate::capture::shown(path).replace('\\', "/");
        match String::from_utf8(bytes) {
            Ok(text) => all.push((name, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let message = format!("byte {at} is no UTF-8; save the file as UTF-8");
                errors.push(RuleError { file: name, place: None, message });
            }
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(RuleErrors(errors).into()) }
}
