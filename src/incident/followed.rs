//! How far captures were followed.

use serde::{Deserialize, Serialize};

/// How far a capture that `watch` follows was fed. It only saves work: without it, the capture is read again from
/// its beginning, and its packets are found to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedCapture {
    /// Its path, for display.
    pub path: String,
    /// Offset in bytes up to which its records were fed, or its size if it cannot be continued.
    pub offset: u64,
    /// A hash of the last bytes before that offset, or the time of its last change.
    pub check: String,
}
