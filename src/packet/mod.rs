//! F0: the header fields of one packet, whichever kind of capture it was read from.

mod address;
mod flags;
mod outer;
mod probe_header;
mod protocol;
mod space;
mod tcp_options;
mod time;

pub use address::is_group;
pub use flags::TcpFlags;
pub use outer::{IcmpKind, Packet};
pub use probe_header::{PayloadDigest, ProbeHeader, ProbeKind, UnusedFields};
pub use protocol::Protocol;
pub use space::AddressSpace;
pub use tcp_options::TcpOptions;
pub use time::{Clock, Timestamp, TimestampError};
