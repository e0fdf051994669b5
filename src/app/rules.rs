//! Use case: loads a folder of rules, or the rules that are built in.

use std::path::Path;

use walkdir::WalkDir;

use crate::rules::{RuleError, RuleErrors, Rules};

use super::{AppError, yaml_file};

/// Compiles the rules of a folder; without a folder, those of this build.
///
/// # Errors
/// When the folder cannot be read or any rule is refused.
pub fn load(folder: Option<&Path>) -> Result<Rules, AppError> {
    match folder {
        None => Ok(Rules::shipped()?),
        Some(folder) => Ok(Rules::compile(&files(folder)?)?),
    }
}

/// Returns the names and texts of all rule files of a folder, by path. Hidden files and files other than YAML
/// are ignored.
fn files(folder: &Path) -> Result<Vec<(String, String)>, AppError> {
    if folder.is_file() {
        let error = std::io::Error::other("this is a file; rules are given as the folder that they lie in");
        return Err(AppError::file(folder, error));
    }
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
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let name = crate::escape::path(path).replace('\\', "/");
        match yaml_file::read(entry.path()) {
            Ok(text) => all.push((name, text)),
            Err(AppError::File { error, .. }) => {
                errors.push(RuleError { file: name, place: None, message: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(RuleErrors(errors).into()) }
}
