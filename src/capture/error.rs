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
    /// A folder without any capture.
    #[error("{input}: no capture in this folder; {skipped} other files were passed over")]
    NoCapture {
        /// The folder's name.
        input: String,
        /// Files that are no captures.
        skipped: usize,
    },
}
