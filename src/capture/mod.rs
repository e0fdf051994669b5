//! I/O: packets out of captures and logs, whatever wrote them.

mod problems;
pub mod text;

pub use problems::{Place, Problem, Problems, Tally};

use crate::event::Packet;

/// Where a reader hands each packet on, with the payload behind its outer header (empty where the source has
/// none).
pub type Sink<'a> = dyn FnMut(&Packet, &[u8]) + 'a;
