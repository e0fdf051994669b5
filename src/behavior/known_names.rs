//! A cache of names. Computing the names of a window takes longer than everything else done with the window.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{Names, Parameters, Profile};

/// Maximum number of parameters whose names are cached.
const CACHED_MAX: usize = 8192;

/// The names of parameters, all by the same profile. Memory: about 500 bytes per entry. A telescope's windows
/// repeat a few thousand parameters; beyond [`CACHED_MAX`] the cache is emptied.
#[derive(Default)]
pub(super) struct KnownNames(HashMap<Parameters, Names, FixedState>);

impl KnownNames {
    /// Returns the names of parameters.
    pub(super) fn of(&mut self, parameters: &Parameters, profile: &Profile) -> Names {
        if let Some(names) = self.0.get(parameters) {
            return names.clone();
        }
        if self.0.len() == CACHED_MAX {
            self.0.clear();
        }
        let names = Names::of(parameters, profile);
        self.0.insert(parameters.clone(), names.clone());
        names
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::engine::tests::packet;
    use super::super::{Fingerprinter, Marks};
    use super::*;
    use crate::packet::AddressSpace;

    #[test]
    fn cached_names_are_those_computed_anew() {
        let (profile, space) = (Profile::default(), AddressSpace::whole());
        let (mut known, mut fingerprinter) = (KnownNames::default(), Fingerprinter::default());
        for port in (0..=u16::MAX).step_by(7).chain([0, 7, 14]) {
            let mut engine = Engine::new(profile.clone());
            engine.push(&packet(1, 0, 1).with_destination_port(Some(port)), Marks::default(), &mut |_| {});
            let window = engine.take_open().remove(0);
            let whole = fingerprinter.of(&window, &space, &profile).whole;
            let names = Names::of(&whole.parameters, &profile);
            assert_eq!((&known.of(&whole.parameters, &profile), &whole.names), (&names, &names), "{port}");
        }
        assert!(known.0.len() < usize::from(u16::MAX) / 7);
    }
}
