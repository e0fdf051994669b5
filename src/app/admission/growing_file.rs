//! The packets of a file that is fed in parts while it grows.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::history::FilePart;

use super::PacketAdmission;
use super::stored_packets::PacketHash;

/// The packets of a growing file that were stored so far, as long as none between them was left out.
///
/// They are those of one day of the sensor: the parts of each day become one record when the day is over, so that
/// the packets that a recorder lost are still counted on their day.
#[derive(Clone, Default)]
pub(in crate::app) struct GrowingFile {
    stored: Option<Box<StoredParts>>,
}

/// The stored parts of a file.
#[derive(Clone)]
struct StoredParts {
    first_part: [u8; 32],
    day: Date,
    packets: u64,
    hash: PacketHash,
}

impl GrowingFile {
    /// Returns the file after a part was read, whose content hash is `content`.
    pub(in crate::app) fn after_part(
        &self,
        read: &PacketAdmission,
        content: [u8; 32],
        zone: &TimeZone,
    ) -> GrowingFile {
        // Packets that are left out, sorted or late are so for reasons that may not hold for the whole file.
        let Some((first, _)) = read.span().filter(|_| read.counts_all_in_order()) else {
            return GrowingFile::default();
        };
        let day = first.day(zone);
        let stored = match (&self.stored, &read.file_hash) {
            (Some(before), Some(hash)) if before.day == day => {
                let packets = before.packets.saturating_add(read.packets);
                StoredParts { first_part: before.first_part, day, packets, hash: hash.clone() }
            }
            _ => StoredParts { first_part: content, day, packets: read.packets, hash: read.hash.clone() },
        };
        GrowingFile { stored: Some(Box::new(stored)) }
    }

    /// Returns the place in the file of the part that was read last.
    pub(in crate::app) fn last_part(&self) -> Option<FilePart> {
        let StoredParts { first_part, packets, hash, .. } = self.stored.as_deref()?;
        Some(FilePart { first_part: *first_part, joined: 0, packets: *packets, packet_hash: hash.value() })
    }

    /// Returns the hash of the packets that were stored so far, to be continued.
    pub(super) fn hash(&self) -> Option<PacketHash> {
        self.stored.as_ref().map(|stored| stored.hash.clone())
    }
}
