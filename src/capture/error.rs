//! Errors for captures that cannot be read at all. Damage within a capture is counted as a
//! [`Problem`](super::Problem) instead.

/// The reason why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file has no bytes.
    #[error("{input}: empty; a capture has at least a header")]
    Empty {
        /// The capture's name.
        input: String,
    },
    /// The file is not a capture in a known format.
    #[error(
        "{input}: {looks_like}; wanted is a pcap, a pcapng or a tcpdump text log, compressed or not{remedy}"
    )]
    NotACapture {
        /// The capture's name.
        input: String,
        /// A description of the file by its first bytes.
        looks_like: String,
        /// A remedy, beginning with `; `; empty if none is known.
        remedy: &'static str,
    },
    /// The operating system reported an error.
    #[error("{input}: {error}")]
    Io {
        /// The capture's name.
        input: String,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// The archive is refused as a whole.
    #[error("{input}: {why}")]
    Archive {
        /// The archive's name.
        input: String,
        /// The reason, and a remedy.
        why: String,
    },
    /// The capture runs backwards in time and has more packets than may be held in memory for sorting.
    #[error(
        "{input}: runs backwards in time, and of its {packets} packets at most {limit} may be held to be sorted; sort it with `reordercap IN OUT`, or raise --packets-max (some 200 bytes of memory a packet)"
    )]
    TooManyToSort {
        /// The capture's name.
        input: String,
        /// The number of its packets.
        packets: u64,
        /// The number of packets that may be held.
        limit: usize,
    },
    /// The folder or archive contains no capture.
    #[error("{input}: no capture in this {what}; {skipped} other files were passed over{why}")]
    NoCapture {
        /// The name of the folder or archive.
        input: String,
        /// `folder` or `archive`.
        what: &'static str,
        /// The number of files that are not captures.
        skipped: usize,
        /// The first of these files with the reason why it is not a capture, beginning with `: `; or the last
        /// error, beginning with `; `; or empty.
        why: String,
    },
}

impl CaptureError {
    /// Returns the reason without the capture's name.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            CaptureError::Empty { .. } => "empty".to_owned(),
            CaptureError::NotACapture { looks_like, remedy, .. } => format!("{looks_like}{remedy}"),
            CaptureError::Io { error, .. } => error.to_string(),
            CaptureError::Archive { why, .. } => why.clone(),
            CaptureError::TooManyToSort { .. } => "more packets than may be held to be sorted".to_owned(),
            CaptureError::NoCapture { what, .. } => format!("no capture in this {what}"),
        }
    }
}
