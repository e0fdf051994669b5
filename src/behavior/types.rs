//! Behavior types as numbers. Millions of windows have some hundred thousand types, and comparing, storing
//! and sorting numbers costs a fraction of what names cost. Names are computed on demand.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::packet::AddressSpace;

use super::distinct::hash_of;
use super::facets::Facets;
use super::key::{self, Brief, Build, Key};
use super::reduction::Reduction;
use super::singles::{Singles, Slot};
use super::{Behavior, Names, OpenWindow, Parameters, Probe, Profile};

/// Maximum number of packets of a window with one probe whose type is looked up by its probe alone.
const PACKETS_MAX: u64 = 64;

/// Numbers behavior types in the order in which they first occur. Memory: 60 to 80 bytes per type, and at
/// most 4 MiB for the types of windows with one probe.
pub struct Types {
    space: Arc<AddressSpace>,
    reduction: Reduction,
    facets: Facets,
    singles: Singles,
    /// Numbers of types with a brief key.
    briefs: HashMap<Brief, u32, FixedState>,
    /// Numbers of types with a long key. The keys themselves are in `list`.
    longs: HashTable<u32>,
    list: TypeList,
    /// Buffer for a long key.
    key: Vec<u8>,
    looks: Looks,
}

/// The results of looking up several windows together.
#[derive(Default)]
struct Looks {
    /// The position of each window in `singles`.
    slots: Vec<Slot>,
    /// The type of each window, if it occurred before.
    numbers: Vec<Option<u32>>,
    /// For each window without a single probe: its index, and its parameters with their brief key.
    reduced: Vec<(usize, Option<Brief>, Parameters)>,
}

/// The numbered types. Each has the parameters beyond the type that its first window had.
#[derive(Clone, Debug)]
pub struct TypeList {
    profile: Profile,
    types: Vec<(Key, Build)>,
}

impl Types {
    /// Creates an empty numbering. Destinations are ranked in `space`.
    #[must_use]
    pub fn new(profile: Profile, space: AddressSpace) -> Types {
        Types {
            space: Arc::new(space),
            reduction: Reduction::default(),
            facets: Facets::default(),
            singles: Singles::default(),
            briefs: HashMap::default(),
            longs: HashTable::new(),
            list: TypeList { profile, types: Vec::new() },
            key: Vec::new(),
            looks: Looks::default(),
        }
    }

    /// Ranks the destinations of all further windows in another space.
    pub fn rank_in(&mut self, space: &Arc<AddressSpace>) {
        self.space = Arc::clone(space);
    }

    /// Returns the types that were numbered.
    #[must_use]
    pub fn into_list(self) -> TypeList {
        self.list
    }

    /// Returns the number by which histories identify the type at a place of the list
    /// ([`BehaviorId::number`]).
    ///
    /// [`BehaviorId::number`]: super::BehaviorId::number
    #[must_use]
    pub fn history_number(&self, place: usize) -> u64 {
        let parameters = self.list.get(place);
        parameters.map_or(0, |parameters| self.list.behavior(&parameters).id.number())
    }

    /// Looks up the types of closed windows; [`number`](Types::number) then returns them one by one.
    ///
    /// The look-ups of one table follow each other directly. Most of them wait for memory, and the processor
    /// can then wait for several at once.
    pub fn look_up(&mut self, windows: &[OpenWindow]) {
        let Types { space, reduction, singles, briefs, list, looks, .. } = self;
        looks.slots.clear();
        looks.slots.extend(windows.iter().map(|window| slot(window, singles, &list.profile)));
        looks.numbers.clear();
        looks.numbers.extend(looks.slots.iter().map(|slot| singles.at(*slot)));
        looks.reduced.clear();
        for (at, window) in windows.iter().enumerate().filter(|(_, window)| window.probes.single().is_none())
        {
            let parameters = reduction.of(window.probes.iter(), window.packets, space, &list.profile);
            looks.reduced.push((at, key::brief(&parameters, &list.profile), parameters));
        }
        for (at, brief, _) in &looks.reduced {
            looks.numbers[*at] = brief.and_then(|brief| briefs.get(&brief)).copied();
        }
    }

    /// Returns the number of the type of `window`, which was the window at index `at` of the latest
    /// [`look_up`](Types::look_up).
    #[inline]
    pub fn number(&mut self, at: usize, window: &OpenWindow) -> u32 {
        match self.looks.numbers.get(at) {
            Some(Some(number)) => *number,
            _ => self.of_new(at, window),
        }
    }

    /// Returns the number of the type of a window whose type was unknown at the look-up.
    #[cold]
    fn of_new(&mut self, at: usize, window: &OpenWindow) -> u32 {
        let looks = std::mem::take(&mut self.looks);
        let number = match looks.reduced.binary_search_by_key(&at, |(at, ..)| *at) {
            Ok(place) => self.of_reduced(looks.reduced[place].1, &looks.reduced[place].2),
            Err(_) => self.of_window(window),
        };
        self.looks = looks;
        number
    }

    /// Returns the number of the type of a closed window.
    pub fn of_window(&mut self, window: &OpenWindow) -> u32 {
        if let Some((probe, count)) = window.probes.single()
            && count == window.packets
        {
            return self.of_single(probe, count);
        }
        self.of_probes(window.probes.iter(), window.packets)
    }

    /// Calls `sink` for each facet of a window, with the number of its type and its packet count. Facets with
    /// the most packets come first.
    pub fn of_facets(&mut self, window: &OpenWindow, sink: &mut dyn FnMut(u32, u64)) {
        let mut facets = std::mem::take(&mut self.facets);
        facets.each(&window.probes, self.list.profile.facets_max, &mut |probes, packets| {
            let number = match probes {
                [(probe, count)] => self.of_single(probe, *count),
                _ => self.of_probes(probes.iter().map(|(probe, count)| (probe, *count)), packets),
            };
            sink(number, packets);
        });
        self.facets = facets;
    }

    #[inline]
    fn of_single(&mut self, probe: &Probe, packets: u64) -> u32 {
        if packets > PACKETS_MAX {
            return self.of_probes(std::iter::once((probe, packets)), packets);
        }
        let (class, port) = single(probe, packets, self.list.profile.exact_counts_max);
        match self.singles.get(class, port) {
            Some(number) => number,
            None => self.of_new_single(probe, packets, class, port),
        }
    }

    #[cold]
    fn of_new_single(&mut self, probe: &Probe, packets: u64, class: u64, port: u16) -> u32 {
        let number = self.of_probes(std::iter::once((probe, packets)), packets);
        self.singles.insert(class, port, number);
        number
    }

    fn of_probes<'a>(&mut self, probes: impl Iterator<Item = (&'a Probe, u64)> + Clone, packets: u64) -> u32 {
        let parameters = self.reduction.of(probes, packets, &self.space, &self.list.profile);
        self.of_reduced(key::brief(&parameters, &self.list.profile), &parameters)
    }

    fn of_reduced(&mut self, brief: Option<Brief>, parameters: &Parameters) -> u32 {
        let Types { briefs, list, .. } = self;
        let Some(brief) = brief else { return self.of_long(parameters) };
        *briefs.entry(brief).or_insert_with(|| list.add(Key::Brief(brief), parameters))
    }

    fn of_long(&mut self, parameters: &Parameters) -> u32 {
        let Types { longs, list, key, .. } = self;
        key::write(parameters, &list.profile, key);
        let hash = hash_of(&key.as_slice());
        if let Some(number) = longs.find(hash, |known| list.long(*known) == key.as_slice()) {
            return *number;
        }
        let number = list.add(Key::Long(key.as_slice().into()), parameters);
        longs.insert_unique(hash, number, |known| hash_of(&list.long(*known)));
        number
    }
}

impl TypeList {
    /// Returns the number of types.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Returns whether there is no type.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Returns the parameters of all types, in the order of their numbers. Counts are the upper ends of their
    /// bins; the parameters that the type does not determine are those of its first window.
    pub fn iter(&self) -> impl Iterator<Item = Parameters> + '_ {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Returns the parameters of the type with a number; see [`iter`](TypeList::iter).
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Parameters> {
        let (key, build) = self.types.get(number)?;
        key::read(key, *build)
    }

    /// Returns the behavior type of parameters.
    #[must_use]
    pub fn behavior(&self, parameters: &Parameters) -> Behavior {
        Behavior::of_type(parameters, &self.profile)
    }

    /// Returns type, shape and pattern of parameters, by the profile of the list.
    #[must_use]
    pub fn names(&self, parameters: &Parameters) -> Names {
        Names::of(parameters, &self.profile)
    }

    /// Returns shape and pattern of parameters, by the profile of the list.
    #[must_use]
    pub fn shape_and_family(&self, parameters: &Parameters) -> [Behavior; 2] {
        [Behavior::of_shape(parameters, &self.profile), Behavior::of_family(parameters, &self.profile)]
    }

    fn add(&mut self, key: Key, parameters: &Parameters) -> u32 {
        self.types.push((key, Build::from(parameters)));
        u32::try_from(self.types.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the bytes of a long key; empty if the type has a brief key.
    fn long(&self, number: u32) -> &[u8] {
        match usize::try_from(number).ok().and_then(|at| self.types.get(at)) {
            Some((Key::Long(bytes), _)) => bytes,
            _ => &[],
        }
    }
}

/// Returns the position of a window's type in `singles`, or [`Slot::NONE`] if its probe alone does not
/// determine the type.
#[inline]
fn slot(window: &OpenWindow, singles: &Singles, profile: &Profile) -> Slot {
    match window.probes.single() {
        Some((probe, count)) if count == window.packets && count <= PACKETS_MAX => {
            let (class, port) = single(probe, count, profile.exact_counts_max);
            singles.slot(class, port)
        }
        _ => Slot::NONE,
    }
}

/// Returns the class and port for a window with one probe. Equal results mean equal types, shapes and
/// patterns.
fn single(probe: &Probe, packets: u64, exact_counts_max: u64) -> (u64, u16) {
    /// The shape distinguishes up to five packets per destination, whatever the bins of the profile are.
    const TOLD_APART: u64 = 5;
    let packets =
        if packets <= exact_counts_max.max(TOLD_APART) { packets } else { packets.next_power_of_two() };
    // The count is at most `PACKETS_MAX`, rounded up to a power of two, so it fits.
    probe.alone(u32::try_from(packets).unwrap_or(u32::MAX))
}
