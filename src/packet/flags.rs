//! TCP flags, written in the order F S R P A U E C.

use std::fmt::{self, Write};

/// The eight TCP flags in the low byte of the header's flags field (RFC 9293, RFC 3168).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// SYN.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// RST.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// PSH.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// ACK.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// URG.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// ECE (`E`).
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// CWR (`C`).
    pub const CWR: TcpFlags = TcpFlags(0x80);

    const LETTERS: [char; 8] = ['F', 'S', 'R', 'P', 'A', 'U', 'E', 'C'];

    /// Returns whether all flags of `other` are set.
    #[must_use]
    pub fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the union of both sets of flags.
    #[must_use]
    pub fn with(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }

    /// Returns the flag of a letter of `FSRPAUEC`, or `None` for any other letter.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<TcpFlags> {
        Self::LETTERS.iter().position(|&known| known == letter).map(|bit| TcpFlags(1 << bit))
    }

    /// Returns whether the packet asks to open a connection: SYN without ACK.
    #[must_use]
    pub fn opens(self) -> bool {
        self.contains(Self::SYN) && !self.contains(Self::ACK)
    }

    /// Returns whether the packet can be an answer to somebody else's SYN: SYN-ACK or RST. In a darknet these
    /// are backscatter.
    #[must_use]
    pub fn answers(self) -> bool {
        self.contains(Self::RST) || self.contains(Self::SYN.with(Self::ACK))
    }
}

/// Writes the letters of the flags in the order FSRPAUEC, or `-` if no flag is set.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("-");
        }
        for (bit, letter) in Self::LETTERS.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                f.write_char(*letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_in_the_order_of_the_design() {
        assert_eq!(TcpFlags(0xff).to_string(), "FSRPAUEC");
        assert_eq!(TcpFlags::SYN.with(TcpFlags::ACK).to_string(), "SA");
        assert_eq!(TcpFlags(0).to_string(), "-");
        assert_eq!(TcpFlags::from_letter('E'), Some(TcpFlags::ECE));
        assert_eq!(TcpFlags::from_letter('x'), None);
    }
}
