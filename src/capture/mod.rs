//! I/O: reads packets from packet captures and text logs of any origin.

mod ahead;
mod archive;
mod bytes;
mod compression;
mod error;
mod expand;
mod foreign;
mod header;
mod input;
mod limits;
mod link;
mod link_cooked;
mod link_names;
mod link_recorded;
mod pcap;
mod pcapng;
mod problems;
mod read;
mod records;
pub mod text;
mod usual;

pub use archive::Member;
pub use compression::Compression;
pub use error::CaptureError;
pub use expand::{Expanded, Skipped, expand, expand_file};
pub use input::Input;
pub use limits::{Limits, RATIO_USUAL, size};
pub use problems::{Place, Problem, Problems, Tally};
pub use read::{
    Container, Format, ReadOptions, ReadReport, head, read, read_hashed, read_source, sort_by_time,
};

use crate::event::Packet;

/// The function to which a reader passes each packet, with the payload after the outer header (empty where
/// the source has none).
pub type Sink<'a> = dyn FnMut(&Packet, &[u8]) + 'a;
