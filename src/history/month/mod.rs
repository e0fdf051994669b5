//! A month of a sensor's sightings, packed by type: what is kept for years.
//!
//! Days are packed as captures come ([`super::packed`]); a month that is over is packed anew, so that all of a type's
//! days lie together and its hosts are numbers in the month's own [`Directory`]. Observations ([`Cell`]) are apart from
//! sightings ([`Part`]): a type's series over years reads the former alone, and they stay when the latter are dropped.

mod bits;
mod cells;
mod directory;
mod hits;
mod parts;

pub use cells::{All, Cell, Cells, CellsWriter, TYPES, row_of};
pub use directory::{BLOCK, Block, Directory};
pub use hits::{DetailsReader, Hit, HostsReader};
pub use parts::{Codes, Part, PartsWriter, Place};
