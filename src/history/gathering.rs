//! Sightings and what belongs to them, gathered window by window and packed as they come.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::{fmt, io};

use crate::behavior::OpenWindow;

use super::examples::Examples;
use super::packed;
use super::packing::Waiting;
use super::{Day, Scope, SightingCounts};

/// Sightings that wait to be packed: some 6 MiB of them. More would make shorter bytes, but leave the cache.
const WAITING_MAX: usize = 1 << 17;
/// Bytes of packed sightings that stay in memory where there is another place for more: a small capture needs no other.
const KEPT_MAX: usize = 1 << 20;

/// Gathers sightings of types that are told by numbers. Memory: some 10 to 15 bytes a (host, day, type), of which no
/// more than 1 MiB where they can be put elsewhere, some 60 a type for its example, and 8 MiB that wait to be packed.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    done: Gathered,
    /// The day of what waits.
    day: Option<Day>,
    waiting: Waiting,
    spill: Option<Arc<dyn Spill>>,
    /// Bytes of the runs that are in memory.
    kept: usize,
}

/// A place outside of memory.
pub trait Spill: fmt::Debug + Send + Sync {
    /// Puts bytes there; answers where they are.
    ///
    /// # Errors
    /// When there is no room.
    fn write(&self, bytes: &[u8]) -> io::Result<u64>;

    /// Fetches as many bytes as there is room for.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()>;
}

/// What was gathered: sightings, and examples of types.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Packed sightings. A host may be in several runs of a day: its sightings add up.
    pub runs: Vec<Run>,
    /// Each type's earliest whole window; of windows that begin together the lowest address's.
    pub examples: Examples,
}

/// Packed sightings of one day.
#[derive(Clone, Debug)]
pub struct Run {
    /// The day.
    pub day: Day,
    packed: Packed,
}

/// Groups as [`packed`] has them.
#[derive(Clone, Debug)]
enum Packed {
    Kept(Vec<u8>),
    Spilled { spill: Arc<dyn Spill>, place: u64, length: usize },
}

impl Run {
    /// Groups as [`packed`] has them.
    ///
    /// # Errors
    /// When they cannot be read where they were put.
    pub fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match &self.packed {
            Packed::Kept(bytes) => Ok(bytes.into()),
            Packed::Spilled { spill, place, length } => {
                let mut bytes = vec![0; *length];
                spill.read(*place, &mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

impl Gathering {
    /// One that puts elsewhere what is more than a mebibyte.
    #[must_use]
    pub fn spilling(spill: Arc<dyn Spill>) -> Gathering {
        Gathering { spill: Some(spill), ..Gathering::default() }
    }

    /// Adds a closed window of a type that began on `day`; one without a time is left out.
    pub fn add_window(&mut self, window: &OpenWindow, day: Day, number: u32, marks: u64) {
        self.add(window, day, (number, Scope::Whole), window.packets, marks);
        self.done.examples.offer(number, window);
    }

    /// Adds a facet of a window that has several.
    pub fn add_facet(&mut self, window: &OpenWindow, day: Day, number: u32, packets: u64, marks: u64) {
        self.add(window, day, (number, Scope::Facet), packets, marks);
    }

    /// Takes in what was gathered elsewhere of types with the same numbers.
    pub fn merge(&mut self, other: Gathered) {
        self.done.runs.extend(other.runs);
        self.done.examples.merge(&other.examples);
    }

    /// All of it.
    #[must_use]
    pub fn finish(mut self) -> Gathered {
        self.pack();
        self.done
    }

    fn add(&mut self, window: &OpenWindow, day: Day, group: (u32, Scope), packets: u64, marks: u64) {
        let (Some(first), Some(last)) = (window.start, window.end) else { return };
        if self.day != Some(day) || self.waiting.len() >= WAITING_MAX {
            self.pack();
            self.day = Some(day);
        }
        let seen = SightingCounts {
            windows: 1,
            packets,
            first: first.whole_seconds(),
            last: last.whole_seconds(),
            marks,
        };
        self.waiting.push(group.0, group.1, window.source, seen);
    }

    /// Packs what waits, as one run.
    fn pack(&mut self) {
        let Some(day) = self.day.filter(|_| !self.waiting.is_empty()) else { return };
        let bytes = self.waiting.pack(day);
        let packed = self.spilled(&bytes).unwrap_or(Packed::Kept(bytes));
        self.done.runs.push(Run { day, packed });
    }

    /// Puts bytes elsewhere if they are too many; where that has no room they stay in memory.
    fn spilled(&mut self, bytes: &[u8]) -> Option<Packed> {
        let spill = self.spill.as_ref().filter(|_| self.kept + bytes.len() > KEPT_MAX);
        let Some((spill, place)) = spill.and_then(|spill| Some((spill, spill.write(bytes).ok()?))) else {
            self.kept += bytes.len();
            return None;
        };
        Some(Packed::Spilled { spill: Arc::clone(spill), place, length: bytes.len() })
    }
}

impl Gathered {
    /// Hands on all sightings one by one, in no order that means anything; one can come in several parts.
    ///
    /// # Errors
    /// When they cannot be read where they were put.
    pub fn each(&self, sink: &mut dyn FnMut(Day, u64, Scope, IpAddr, SightingCounts)) -> io::Result<()> {
        for run in &self.runs {
            for group in packed::groups(&run.bytes()?) {
                let group = group.map_err(io::Error::other)?;
                for sighting in group.sightings(run.day.date) {
                    let (host, seen) = sighting.map_err(io::Error::other)?;
                    sink(run.day, group.number, group.scope, host, seen);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Mutex;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::event::Timestamp;

    /// A place with room for so many bytes.
    #[derive(Debug)]
    struct Shelf(Mutex<Vec<u8>>, usize);

    impl Spill for Shelf {
        fn write(&self, bytes: &[u8]) -> io::Result<u64> {
            let mut kept = self.0.lock().unwrap();
            if kept.len() + bytes.len() > self.1 {
                return Err(io::Error::other("full"));
            }
            let place = kept.len() as u64;
            kept.extend_from_slice(bytes);
            Ok(place)
        }

        fn read(&self, place: u64, bytes: &mut [u8]) -> io::Result<()> {
            let from = usize::try_from(place).unwrap();
            bytes.copy_from_slice(&self.0.lock().unwrap()[from..from + bytes.len()]);
            Ok(())
        }
    }

    /// Ten days of windows; what is gathered of them, and how many runs are not in memory.
    fn gathered(mut gathering: Gathering) -> (Vec<(Day, u64, IpAddr, SightingCounts)>, usize) {
        gathering.kept = KEPT_MAX;
        for at in 0..1_000u32 {
            let start = Timestamp::from_parts(i64::from(at) * 864, 0);
            let mut window = OpenWindow::default();
            (window.source, window.packets) = (Ipv4Addr::from(at % 7).into(), at.into());
            (window.start, window.end) = (start, start);
            gathering.add_window(&window, Day::of(start.unwrap(), &TimeZone::UTC), at % 3, 0);
        }
        let gathered = gathering.finish();
        let mut all = Vec::new();
        gathered.each(&mut |day, number, _, host, seen| all.push((day, number, host, seen))).unwrap();
        let spilled = gathered.runs.iter().filter(|run| matches!(run.packed, Packed::Spilled { .. }));
        (all, spilled.count())
    }

    #[test]
    fn what_is_put_elsewhere_is_what_was_gathered_and_what_has_no_room_stays() {
        let (plain, spilled) = gathered(Gathering::default());
        assert_eq!((plain.is_empty(), spilled), (false, 0));
        let shelf = |room| Gathering::spilling(Arc::new(Shelf(Mutex::default(), room)));
        assert_eq!(gathered(shelf(usize::MAX)), (plain.clone(), 10));
        assert_eq!(gathered(shelf(0)), (plain.clone(), 0));
        let (some, spilled) = gathered(shelf(5_000));
        assert_eq!(some, plain);
        assert!((1..10).contains(&spilled), "{spilled}");
    }
}
