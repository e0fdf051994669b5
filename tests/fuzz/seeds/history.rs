//! Files of small histories, each behind the byte that says which.

use super::Seeds;
use crate::laws::history::{HISTORIES, segments};

/// Segments of the compacted history.
pub(crate) fn segment() -> Seeds {
    let names = ["sightings", "counts", "examples"];
    let mut seeds = Seeds::new();
    for (place, (name, at)) in (0..).zip(names.into_iter().zip(segments())) {
        seeds.push((name, [&[place][..], &HISTORIES[1].files[at].1].concat()));
    }
    seeds
}

/// Catalogs.
pub(crate) fn catalog() -> Seeds {
    let names = ["as it was fed", "compacted", "without the sightings of a month"];
    let mut seeds = Seeds::new();
    for (which, (name, made)) in (0..).zip(names.into_iter().zip(HISTORIES.iter())) {
        seeds.push((name, [&[which][..], &made.files[0].1].concat()));
    }
    seeds
}
