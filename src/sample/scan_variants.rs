//! The scans that are consistent with a run: what the run leaves open is taken in all its usual forms.

use crate::packet::TcpFlags;

use super::scan_conditions::USUAL_CONDITIONS;
use super::{SampleService, Scan, ScanConditions, ScriptPacket, SourcePorts};

/// How usual systems repeat a SYN: the probability and the times in seconds after the first SYN. Scanners with
/// raw sockets never repeat it. Windows repeats it after 3 and 9 s, or once if the program gives up sooner.
/// Linux repeats it after 1, 3, 7 and 15 s (RFC 6298), and later than a window lasts.
const USUAL_RETRIES: [(f64, &[f64]); 4] =
    [(0.4, &[]), (0.2, &[3.0]), (0.2, &[3.0, 9.0]), (0.2, &[1.0, 3.0, 7.0, 15.0])];
/// Scan rates in targets per second. The values are taken as equally likely if the run shows no rate.
const USUAL_RATES: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 100.0];
/// Minimum share of targets that received a single packet, so that retries that the run cannot show are assumed.
const SINGLE_PACKET_SHARE_MIN: f64 = 0.95;

impl Scan {
    /// Returns the scans that are consistent with the run, each with its probability. They differ in what the
    /// run leaves open: the scan rate, the TCP retries, and the [`ScanConditions`]. The probabilities sum to 1.
    #[must_use]
    pub fn variants(&self) -> Vec<(f64, Scan)> {
        let retries: &[(f64, &[f64])] = if self.assumes_retries() { &USUAL_RETRIES } else { &[(1.0, &[])] };
        let rates: Vec<f64> = self.targets_per_second.map_or_else(|| USUAL_RATES.to_vec(), |rate| vec![rate]);
        let usual_conditions = self.usual_conditions();
        let mut all = Vec::new();
        for (weight, retries) in retries {
            for rate in &rates {
                for conditions in usual_conditions.iter().copied() {
                    let mut scan = Scan { targets_per_second: Some(*rate), conditions, ..self.clone() };
                    for script in scan.scripts.iter_mut().filter(|script| script.packets.len() == 1) {
                        let first = script.packets.first().copied();
                        script.packets.extend(
                            retries.iter().filter_map(|after| {
                                first.map(|first| ScriptPacket { after: *after, ..first })
                            }),
                        );
                    }
                    all.push((weight * conditions.probability / rates.len() as f64, scan));
                }
            }
        }
        all
    }

    /// Returns the conditions under which a sensor may observe the scan. A scanner with a raw socket repeats nothing,
    /// whatever its system, so that conditions that differ in systems alone are one.
    fn usual_conditions(&self) -> Vec<ScanConditions> {
        if self.source_ports == SourcePorts::PerTarget {
            return USUAL_CONDITIONS.to_vec();
        }
        let mut all: Vec<ScanConditions> = Vec::new();
        for one in USUAL_CONDITIONS {
            match all.iter_mut().find(|known| known.loss.total_cmp(&one.loss).is_eq()) {
                Some(known) => known.probability += one.probability,
                None => all.push(ScanConditions { other_systems: 0.0, ..one }),
            }
        }
        all
    }

    /// Returns whether TCP retries have to be assumed: nearly each target received a single packet, a SYN is
    /// among the services, and no silent targets were watched long enough.
    fn assumes_retries(&self) -> bool {
        let is_syn = |(service, _): &(SampleService, f64)| service.token.flags == Some(TcpFlags::SYN);
        self.attempts.unknown.is_some()
            && self.services.iter().any(is_syn)
            && self.attempts.shares.get(&1).is_some_and(|share| *share >= SINGLE_PACKET_SHARE_MIN)
    }

    /// Returns one sentence for each property that has to be assumed because the run does not show it.
    #[must_use]
    pub fn assumptions(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.attempts.unknown.filter(|_| self.assumes_retries()).map(|why| {
            format!("{why}, so retries of TCP are unknown: those of Windows, of Linux and of raw sockets are assumed")
        }));
        if self.targets_per_second.is_none() {
            all.push(
                "the run gives no rate: 1, 3, 10, 30 and 100 targets a second are taken alike".to_owned(),
            );
        }
        if !self.targeting.reach.known {
            all.push(
                "too few targets or blocks to see where they lie: the whole Internet is assumed".to_owned(),
            );
        }
        if self.targeting.reach.confined_bits > 0 {
            let bits = self.targeting.reach.confined_bits;
            all.push(format!("the run stayed within a /{bits}: other hosts are taken to choose another /{bits} each, at random"));
        }
        all
    }
}
