//! Checks the capture of a run: its hash, its packets and its victim.

use std::io::{self, Write};
use std::net::IpAddr;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::capture::{Input, with_uncompressed};
use crate::escape::hex;
use crate::rules::Rules;
use crate::sample::{AddressCounts, Identity, SandboxReport};

use super::super::packets::Victims;
use super::super::sandbox::victims_of;
use super::super::{AppError, CaptureOptions, Notices};

/// A capture that was checked and shows what its victim sent.
pub(super) struct CheckedCapture {
    pub(super) input: Input,
    /// SHA-256 of its uncompressed bytes, in lower case.
    pub(super) sha256: String,
    pub(super) packets: u64,
    pub(super) victims: Vec<IpAddr>,
    /// Whether the capture alone shows its victims.
    pub(super) shows_victims: bool,
    /// Problems of parts of the capture that could not be used, for messages.
    pub(super) problems: Vec<String>,
}

/// Checks a capture.
///
/// # Errors
/// The reason why the capture cannot be used, for messages.
pub(super) fn checked(
    input: Input,
    identity: &Identity,
    report: Option<&SandboxReport>,
    options: &CaptureOptions,
    rules: &Rules,
) -> Result<CheckedCapture, String> {
    let (sha256, md5) = hashes(&input, options).map_err(|error| error.to_string())?;
    if let Some(stated) = report.and_then(|report| report.capture_sha256.as_ref())
        && *stated != sha256
    {
        return Err(format!(
            "{input}: not the capture of this report: its SHA-256 is {sha256}, the report states {stated}"
        ));
    }
    let own = [&identity.sha256, &identity.md5].map(|hash| hash.as_deref().unwrap_or_default());
    if report.is_none() && (own[0] == sha256 || own[1] == md5) {
        return Err(format!("{input}: the hash in its name is that of the capture itself, not of a sample"));
    }
    let marked = options.load_capture(&input, rules).map_err(|error| error.to_string())?;
    let mut notices = Notices::default();
    notices.add_report(&input, &marked.report);
    if marked.packets.is_empty() {
        return Err(format!("{input}: the capture has no packets"));
    }
    notices.add_left_out(&input, &marked);
    let problems = notices.iter().map(str::to_owned).collect();
    let shown = victims_of(&Victims::Auto, &input, &marked, rules, &mut Notices::default());
    let stated = report.and_then(|report| report.victim);
    let (victims, shows_victims) = match (shown, stated) {
        (Ok(victims), _) => (victims.unwrap_or_default(), true),
        (Err(_), Some(victim)) if AddressCounts::from_packets(&marked.packets).check(&[victim]).is_ok() => {
            (vec![victim], false)
        }
        (Err(error), _) => return Err(error.to_string()),
    };
    Ok(CheckedCapture { input, sha256, packets: marked.report.packets, victims, shows_victims, problems })
}

/// Returns the SHA-256 and the MD5 of the uncompressed bytes of a capture.
fn hashes(input: &Input, options: &CaptureOptions) -> Result<(String, String), AppError> {
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    each_chunk(input, options, &mut |chunk| {
        sha256.update(chunk);
        md5.update(chunk);
        Ok(())
    })?;
    Ok((hex(&sha256.finalize()), hex(&md5.finalize())))
}

/// Writes the uncompressed bytes of a capture.
///
/// # Errors
/// When the capture cannot be read, or `out` cannot be written to.
pub(super) fn copy(input: &Input, options: &CaptureOptions, out: &mut dyn Write) -> io::Result<()> {
    each_chunk(input, options, &mut |chunk| out.write_all(chunk)).map_err(|error| match error {
        AppError::File { error, .. } => error,
        other => io::Error::other(other.to_string()),
    })
}

fn each_chunk(
    input: &Input,
    options: &CaptureOptions,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), AppError> {
    let read = with_uncompressed(input, &options.read, |bytes| {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match bytes.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => take(&chunk[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    read?.map_err(|error| AppError::File { path: input.to_string(), error })
}
