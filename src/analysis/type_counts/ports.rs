//! The probes by which the groups of a jump are tested for per-target ports.

use jiff::civil::Date;

use crate::analysis::per_target_port::{PortProbe, test_per_target_ports};
use crate::rules::NamedWindow;

use super::Jump;
use super::groups::masked_pattern;

/// Maximum number of windows of a group that are tested; the first ones are taken. The test permutes them a
/// thousand times.
const TESTED_MAX: usize = 20_000;

/// The probes of each group of each jump. Memory: 48 bytes for each of at most 20,000 windows per group.
pub struct GroupProbes {
    by_jump: Vec<Vec<Vec<PortProbe>>>,
}

impl GroupProbes {
    /// Prepares the collection of the probes of these jumps.
    #[must_use]
    pub fn new(jumps: &[Jump]) -> GroupProbes {
        GroupProbes { by_jump: jumps.iter().map(|jump| vec![Vec::new(); jump.groups.len()]).collect() }
    }

    /// Adds a window's probe to the groups with its masked pattern in the jumps whose types were seen on that
    /// day.
    pub fn add(&mut self, jumps: &[Jump], day: Date, pattern: &str, probe: PortProbe) {
        for (jump, asked) in jumps.iter().zip(&mut self.by_jump) {
            let (first, last) = jump.seen_days;
            let inside = (first..=last).contains(&day);
            for (group, asked) in jump.groups.iter().zip(asked).filter(|_| inside) {
                if group.pattern == pattern && asked.len() < TESTED_MAX {
                    asked.push(probe);
                }
            }
        }
    }

    /// Tests each group, and stores the results in the groups of the jumps.
    pub fn test(&self, jumps: &mut [Jump]) {
        for (jump, asked) in jumps.iter_mut().zip(&self.by_jump) {
            for (group, asked) in jump.groups.iter_mut().zip(asked) {
                group.port_test = test_per_target_ports(asked);
            }
        }
    }
}

/// Returns the probe of a window with one destination and one port, and the window's masked pattern; `None`
/// for any other window.
#[must_use]
pub fn single_probe(window: &NamedWindow, day: Date) -> Option<(String, PortProbe)> {
    let whole = &window.fingerprint.whole;
    let ([port], 1) = (whole.parameters.ports.listed(), whole.parameters.destinations) else { return None };
    let destination = window.window.probes.get(0)?.destination();
    let asked = PortProbe { week: week(day), source: window.window.source, destination, port: *port };
    Some((masked_pattern(&whole.names.pattern, &whole.parameters), asked))
}

/// Returns the number of the week (Monday to Sunday) that contains a day.
fn week(day: Date) -> i64 {
    let monday = jiff::civil::date(1970, 1, 5);
    (monday.duration_until(day).as_hours() / 24).div_euclid(7)
}
