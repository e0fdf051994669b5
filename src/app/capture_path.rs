//! Confines the captures of a sample report to the report's folder. A report may come from an untrusted
//! source, and inga reads the files that it names and shows their content.

use std::io;
use std::path::{Component, Path};

use crate::capture::CaptureError;
use crate::sample::SampleCapture;
use crate::yaml::error_at_node;

use super::AppError;

/// Checks that a report's capture is a regular file in the report's folder or below, after following all
/// links.
///
/// # Errors
/// When it is not a regular file, or when it does not lie in the report's folder and `allow_outside` is
/// false. The error has the line of the report that names the capture.
pub(super) fn check(
    report: &Path,
    text: &str,
    (place, captured): (usize, &SampleCapture),
    allow_outside: bool,
) -> Result<(), AppError> {
    let refused = |message: String| {
        let place = place.to_string();
        let path: &[&str] = match captured {
            SampleCapture::Path(_) => &["captures", &place],
            SampleCapture::Detailed(_) => &["captures", &place, "path"],
        };
        AppError::yaml(report, &error_at_node(text, path, message))
    };
    let named = Path::new(captured.path());
    let shown = crate::escape::path(named);
    let outside = |why: &str| {
        refused(format!(
            "the capture `{shown}` {why}; captures lie in the report's folder, or give --allow-outside"
        ))
    };
    if !allow_outside {
        let within = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if named.is_absolute() || named.has_root() {
            return Err(outside("is an absolute path"));
        }
        if !named.components().all(within) {
            return Err(outside("leads out of the folder by `..`"));
        }
    }
    let folder = report.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A file that is missing or may not be read is not an error of the report: the other samples of the call
    // are still read.
    let failed = |error: io::Error| {
        AppError::Capture(CaptureError::Io { input: crate::escape::path(&folder.join(named)), error })
    };
    let real = folder.join(named).canonicalize().map_err(failed)?;
    if !allow_outside && !real.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(outside("is a symbolic link that leads out of the folder"));
    }
    let known = real.metadata().map_err(failed)?;
    match (known.is_file(), known.is_dir()) {
        (true, _) => Ok(()),
        (_, true) => Err(refused(format!("the capture `{shown}` is a folder; name the files in it"))),
        _ => Err(refused(format!("the capture `{shown}` is a device, FIFO or socket; captures are files"))),
    }
}
