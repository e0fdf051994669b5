//! F0: the header fields of one packet, whichever kind of capture it was read from.

mod address;
mod flags;
mod outer;
mod protocol;
mod space;
mod time;

pub use address::is_group;
pub use flags::TcpFlags;
pub use outer::{IcmpKind, Packet};
pub use protocol::Protocol;
pub use space::AddressSpace;
pub use time::{Clock, Timestamp, TimestampError};
