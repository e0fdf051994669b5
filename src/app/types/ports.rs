//! Tests, with captures, whether the ports of a jump's types are derived from the destination addresses.

use jiff::civil::Date;

use crate::app::fingerprint::{PacketFilter, fingerprints};
use crate::app::packets::Victims;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::behavior::OpenWindow;
use crate::capture::Input;
use crate::history::per_target_port::{PortProbe, test_per_target_ports};
use crate::rules::{NamedWindow, Namer, Rules};

use super::TypeCounts;
use super::groups::masked_pattern;

/// Maximum number of windows of a group that are tested; the first ones are taken. The test permutes them a
/// thousand times.
const TESTED_MAX: usize = 20_000;

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
    for TypeCounts { sensor, jumps, .. } in all.iter_mut().filter(|kinds| !kinds.jumps.is_empty()) {
        let (dark, zone) = (sensor.dark_periods(), sensor.zone()?);
        // The type of a window with one destination does not depend on the destination's rank, so that all
        // prefixes that were ever dark can be read at once.
        let prefixes = sensor.prefixes.iter().map(|dated| dated.prefix).collect();
        let selection = PacketFilter { victims: Victims::None, dark: prefixes };
        let mut asked: Vec<Vec<Vec<PortProbe>>> =
            jumps.iter().map(|jump| vec![Vec::new(); jump.groups.len()]).collect();
        let asked_by = |namer: &mut Namer<'_>, window: OpenWindow, clock| {
            let day = window.start?.day(&zone);
            let (family, one) = single_probe(&namer.name(window, clock), day)?;
            let was_dark = dark.period_on(day).is_some_and(|period| period.space.contains(one.destination));
            was_dark.then_some((day, family, one))
        };
        let make = |namer: &mut Namer<'_>, windows: &mut [OpenWindow], clock| -> Vec<_> {
            windows.iter_mut().filter_map(|window| asked_by(namer, std::mem::take(window), clock)).collect()
        };
        fingerprints(inputs, &selection, options, rules, notices, &make, &mut |found| {
            for (day, family, one) in found {
                for (jump, asked) in jumps.iter().zip(&mut asked) {
                    let (first, last) = jump.seen_days;
                    let inside = (first..=last).contains(&day);
                    for (group, asked) in jump.groups.iter().zip(asked).filter(|_| inside) {
                        if group.pattern == family && asked.len() < TESTED_MAX {
                            asked.push(one);
                        }
                    }
                }
            }
            Ok(())
        })?;
        for (jump, asked) in jumps.iter_mut().zip(asked) {
            for (group, asked) in jump.groups.iter_mut().zip(asked) {
                group.port_test = test_per_target_ports(&asked);
            }
        }
    }
    Ok(())
}

/// Returns the probe of a window with one destination and one port, and the window's masked pattern; `None`
/// for any other window.
fn single_probe(window: &NamedWindow, day: Date) -> Option<(String, PortProbe)> {
    let whole = &window.fingerprint.whole;
    let ([port], 1) = (whole.parameters.ports.listed(), whole.parameters.destinations) else { return None };
    let destination = window.window.probes.get(0)?.destination();
    let asked = PortProbe { week: week(day), source: window.window.source, destination, port: *port };
    Some((masked_pattern(&whole.names.family, &whole.parameters), asked))
}

/// Returns the number of the week (Monday to Sunday) that contains a day.
fn week(day: Date) -> i64 {
    let monday = jiff::civil::date(1970, 1, 5);
    (monday.duration_until(day).as_hours() / 24).div_euclid(7)
}
