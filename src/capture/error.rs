//! Why a capture could not be read at all. What is wrong within one is counted as a problem instead.

/// A capture that gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No bytes.
    #[error("{input}: empty; a capture has at least a header")]
    Empty {
        /// The capture's name.
        input: String,
    },
    /// Not a capture.
    #[error(
        "{input}: {looks_like}; wanted is a pcap, a pcapng or a tcpdump text log, compressed or not{remedy}"
    )]
    NotACapture {
        /// The capture's name.
        input: String,
        /// What its first bytes look like.
        looks_like: String,
        /// What to do about it, beginning with `; `, if anything is known.
        remedy: &'static str,
    },
    /// The system refused.
    #[error("{input}: {error}")]
    Io {
        /// The capture's name.
        input: String,
        /// Why.
        error: std::io::Error,
    },
    /// An archive that is refused as a whole.
    #[error("{input}: {why}")]
    Archive {
        /// The archive's name.
        input: String,
        /// The reason, and what to do about it.
        why: String,
    },
    /// A capture that runs backwards in time and has more packets than may be held in memory.
    #[error(
        "{input}: runs backwards in time, and of its {packets} packets at most {limit} may be held to be sorted; sort it with `reordercap IN OUT`, or raise --packets-max (some 200 bytes of memory a packet)"
    )]
    TooManyToSort {
        /// The capture's name.
        input: String,
        /// Number of its packets.
        packets: u64,
        /// Number of packets that may be held.
        limit: usize,
    },
    /// A folder or archive without any capture.
    #[error("{input}: no capture in this {what}; {skipped} other files were passed over{why}")]
    NoCapture {
        /// The folder's name.
        input: String,
        /// `folder` or `archive`.
        what: &'static str,
        /// Files that are no captures.
        skipped: usize,
        /// The first of these files with the reason why it is not a capture, beginning with `: `; empty if there is
        /// none.
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
