//! Tests, with captures, whether the ports of a jump's types are derived from the destination addresses.

use crate::analysis::type_counts::{GroupProbes, TypeCounts, single_probe};
use crate::app::fingerprint::{PacketFilter, fingerprints};
use crate::app::packets::Victims;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::OpenWindow;
use crate::capture::Input;
use crate::rules::{Namer, Rules};

/// Tests, for each group of each jump, whether the ports follow from the destinations. It uses windows of the
/// group with one destination and one port that the sensor saw on the days of a rise, or before a fall. The
/// captures are read once for each sensor that has a jump. Memory: 48 bytes for each of at most 20,000
/// windows per group, in addition to the memory for reading captures.
///
/// # Errors
/// When a capture cannot be read.
pub fn test_ports(
    all: &mut [TypeCounts],
    inputs: &[Input],
    options: &CaptureOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<(), AppError> {
    for TypeCounts { sensor, jumps, .. } in all.iter_mut().filter(|counts| !counts.jumps.is_empty()) {
        let (dark, zone) = (sensor.dark_periods(), sensor.zone()?);
        // The type of a window with one destination does not depend on the destination's rank, so that all
        // prefixes that were ever dark can be read at once.
        let prefixes = sensor.prefixes.iter().map(|dated| dated.prefix).collect();
        let selection = PacketFilter { victims: Victims::None, dark: prefixes };
        let mut probes = GroupProbes::new(jumps);
        let asked_by = |namer: &mut Namer<'_>, window: OpenWindow, clock| {
            let day = window.start?.day(&zone);
            let (pattern, one) = single_probe(&namer.name(window, clock), day)?;
            let was_dark = dark.period_on(day).is_some_and(|period| period.space.contains(one.destination));
            was_dark.then_some((day, pattern, one))
        };
        let make = |namer: &mut Namer<'_>, windows: &mut [OpenWindow], clock| -> Vec<_> {
            windows.iter_mut().filter_map(|window| asked_by(namer, std::mem::take(window), clock)).collect()
        };
        fingerprints(inputs, &selection, options, rules, notices, &make, &mut |found| {
            for (day, pattern, one) in found {
                probes.add(jumps, day, &pattern, one);
            }
            Ok(())
        })?;
        probes.test(jumps);
    }
    Ok(())
}
