//! I/O: reads packets from packet captures and text logs of any origin.

mod archive;
mod bytes;
mod compression;
mod error;
mod expand;
mod fast_path;
mod foreign;
mod frame_decoder;
mod header;
mod input;
mod limits;
mod link;
mod link_cooked;
mod link_ethernet;
mod link_filter;
mod link_names;
mod pcap;
mod pcapng;
mod plain;
mod problems;
mod read;
mod read_ahead;
mod records;
pub mod text;

pub use archive::Member;
pub use compression::Compression;
pub use error::CaptureError;
pub use expand::{ExpandedPaths, SkippedFiles, expand, expand_file};
pub use input::Input;
pub use limits::{Limits, RATIO_USUAL, format_bytes};
pub use plain::with_uncompressed;
pub use problems::{CapturePosition, Problem, ProblemCount, Problems};
pub use read::{
    CaptureFormat, Container, ReadOptions, ReadReport, read, read_hashed, read_head, read_source,
    sort_by_time,
};

use crate::packet::Packet;

/// The function to which a reader passes each packet, with the payload after the outer header (empty where
/// the source has none).
pub type PacketSink<'a> = dyn FnMut(&Packet, &[u8]) + 'a;
