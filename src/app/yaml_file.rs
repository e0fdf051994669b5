//! Reads the YAML files of the use cases, up to a maximum size.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::yaml::SIZE_MAX;

use super::AppError;

/// Reads a YAML file, or a pipe, of at most [`SIZE_MAX`] bytes.
///
/// # Errors
/// When the file cannot be read, is longer than that, or is not UTF-8.
pub(super) fn read(path: &Path) -> Result<String, AppError> {
    let failed = |error| AppError::file(path, error);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|known| known.is_dir()) {
        return Err(failed(io::Error::other("this is a folder; a YAML file is needed here")));
    }
    let mut bytes = Vec::new();
    file.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > SIZE_MAX {
        return Err(failed(io::Error::other(format!(
            "longer than {SIZE_MAX} bytes, which no YAML file here needs"
        ))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        failed(io::Error::other(format!("byte {at} is no UTF-8; save the file as UTF-8")))
    })
}
