//! Converting the gathered windows of a capture.

use crate::history::{CollectedSightings, Example, PackedExample, Sighting, SightingCounts, decode_packets};
use crate::store::{StoreError, check_mark_count, renumber_marks};

use super::MemoryStore;
use super::sighting_maps::{SightingKey, SightingMaps};

impl MemoryStore {
    /// Converts gathered sightings and examples, and changes mark numbers from the contribution's to the
    /// store's. Names of marks that are new are added to the store.
    pub(super) fn import_sightings(
        &mut self,
        gathered: &CollectedSightings,
        mark_names: &[String],
        type_numbers: &[u64],
    ) -> Result<SightingMaps, StoreError> {
        if gathered.writer.is_some() {
            return Err(StoreError::Backend("a store in memory takes no written batches".to_owned()));
        }
        let mut numbers = Vec::new();
        for name in mark_names {
            let at = self.marks.iter().position(|known| known == name).unwrap_or_else(|| {
                self.marks.push(name.clone());
                self.marks.len() - 1
            });
            numbers.push(at);
        }
        check_mark_count(self.marks.len())?;
        let mut seen = SightingMaps::default();
        for batch in &gathered.batches {
            for Sighting { day, number, scope, host, signature, counts } in &batch.sightings {
                let marks = renumber_marks(counts.marks, &numbers);
                let key = SightingKey {
                    number: *number,
                    scope: *scope,
                    host: *host,
                    day: *day,
                    signature: *signature,
                };
                seen.add_sighting(key, SightingCounts { marks, ..*counts });
                seen.count_hour((*number, *scope, *day, batch.hour), (counts.windows, counts.packets));
            }
        }
        for PackedExample { number: place, start, host, packets } in gathered.examples.iter() {
            let number = usize::try_from(place).ok().and_then(|place| type_numbers.get(place));
            if let Some(record) = number.and_then(|number| self.types.get(number)) {
                let packets =
                    decode_packets(packets).map_err(|error| StoreError::Damaged(error.to_string()))?;
                seen.add_example(Example { behavior: record.behavior.id, host, start, packets });
            }
        }
        Ok(seen)
    }
}
