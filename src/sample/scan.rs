//! Infers how a sample scans from its sandbox run: services, packets per target, source ports and rate. A
//! [`Scan`] is the input of a projection.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::behavior::{Ports, ProtocolToken, SourcePortUse};

use super::contacts::{Contact, Contacts};
use super::{SampleProfile, ScanConditions, TargetSelection};

/// Minimum time in seconds for which a run continues after the first packet to a silent target, so that the
/// target's packets count as complete. The first TCP retry comes after 1 s (Linux) or 3 s (Windows, BSD).
const WATCH_SECONDS_MIN: f64 = 4.0;
/// Minimum time in seconds between the first contact with a silent target and the end of the run, so that the
/// target's packet count is complete. Where no packet to the target was traced, the first contact is the end
/// of the window in which it happened. The time covers retries after 3, 9 and 21 s.
const COUNTED_SECONDS_MIN: f64 = 21.0;
/// Maximum number of scripts that are kept of a run.
const SCRIPTS_MAX: usize = 512;
/// Share of silent contacts that last at most the time for which a target must have been watched. The rest may
/// be a few addresses that the sample contacts again and again, such as a command server that is down.
const WATCHED_QUANTILE: f64 = 0.95;
/// Minimum number of silent targets that show how often the scan asks a target, unless the run has fewer targets.
const SILENT_TARGETS_MIN: usize = 5;
/// A service that the sample scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SampleService {
    /// Protocol and, for TCP, flags.
    pub token: ProtocolToken,
    /// The destination port.
    pub port: ServicePort,
}

/// The destination port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ServicePort {
    /// No port: ICMP, ARP.
    None,
    /// The same port for every target.
    Fixed(u16),
    /// A per-target port: the lowest and the highest port seen, both included.
    PerTarget(u16, u16),
}

/// Writes `445/TCP:S`, `*/UDP` (per-target port) or `ICMP`.
impl std::fmt::Display for SampleService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            ServicePort::None => {}
            ServicePort::Fixed(port) => write!(f, "{port}/")?,
            ServicePort::PerTarget(..) => f.write_str("*/")?,
        }
        write!(f, "{}", std::iter::once(self.token).collect::<crate::behavior::ProtocolSet>())
    }
}

/// One packet of a script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScriptPacket {
    /// Seconds since the first packet of the contact.
    pub after: f64,
    /// Index into [`Scan::services`].
    pub service: usize,
    /// Index of the source port among those of this script, from 0 in the order of first use.
    pub source_port: u16,
}

/// The packets that one target receives.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The packets in time order.
    pub packets: Vec<ScriptPacket>,
}

/// How the scan chooses its source ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePorts {
    /// One source port for the whole scan, as raw-socket scanners use, or no source port (ICMP).
    One,
    /// New source ports for each target, as `connect` gets them from the system.
    PerTarget,
}

/// The number of packets that a silent target receives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempts {
    /// Share of targets by number of packets. The shares sum to 1.
    pub shares: BTreeMap<u64, f64>,
    /// The reason why the number of packets is uncertain, for example that no silent target was watched long
    /// enough to show retries. `None` if the number is known.
    pub unknown: Option<&'static str>,
}

/// The contacts of the sandbox run that were answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AnsweredContacts {
    /// Share of contacts that were answered, 0 to 1.
    pub share: f64,
    /// Mean number of packets that such a contact sends until the answer.
    pub packets: f64,
}

/// The scan of a sample, as its sandbox run shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// How the scan picks its targets.
    pub targeting: TargetSelection,
    /// The scanned services, each with the share of contacts that probe it, highest share first.
    pub services: Vec<(SampleService, f64)>,
    /// The packets that targets receive: one script per usable contact, 512 at most.
    pub scripts: Vec<Script>,
    /// The number of packets per target.
    pub attempts: Attempts,
    /// How source ports are chosen.
    pub source_ports: SourcePorts,
    /// New targets per second. `None` if the times are synthetic or the run is shorter than a second.
    pub targets_per_second: Option<f64>,
    /// The answered contacts. `None` if no target answered.
    pub answered: Option<AnsweredContacts>,
    /// Number of distinct targets in the run.
    pub targets: u64,
    /// The conditions under which it is observed: those of the sandbox, except in [`Scan::variants`].
    pub conditions: ScanConditions,
}

impl Scan {
    /// Infers the scan of a run. Returns `None` if the run shows no scan.
    #[must_use]
    pub fn infer(sample: &SampleProfile) -> Option<Scan> {
        let contacts = Contacts::from_profile(sample);
        let targeting = TargetSelection::infer(sample, &contacts);
        let follows = per_target_port_range(sample, &contacts);
        let mut services: BTreeMap<SampleService, f64> = BTreeMap::new();
        for contact in &contacts.all {
            for service in services_of(contact, follows) {
                *services.entry(service).or_default() += 1.0 / contacts.all.len() as f64;
            }
        }
        let mut services: Vec<(SampleService, f64)> = services.into_iter().collect();
        services.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let unknown = unknown_retries(&contacts);
        let place = |service: SampleService| services.iter().position(|(known, _)| *known == service);
        let scripts = scripts(&usable_contacts(&contacts), &|sent| place(service(sent, follows)));
        if scripts.is_empty() {
            return None;
        }
        Some(Scan {
            targeting,
            attempts: Attempts { shares: attempt_shares(&scripts), unknown },
            source_ports: source_ports(sample),
            targets_per_second: sample.destinations_per_second(),
            answered: answered_contacts(&contacts),
            targets: contacts.targets.len() as u64,
            conditions: ScanConditions::SANDBOX,
            services,
            scripts,
        })
    }
}

/// Returns the lowest and the highest destination port if the scan uses per-target ports. The window with the
/// most destinations decides.
fn per_target_port_range(sample: &SampleProfile, contacts: &Contacts) -> Option<(u16, u16)> {
    let largest =
        sample.scan_windows().max_by_key(|window| window.fingerprint.whole.parameters.destinations)?;
    let parameters = &largest.fingerprint.whole.parameters;
    let many = matches!(parameters.ports, Ports::Many);
    if !parameters.ports_follow_destinations || !(many || parameters.ports_ephemeral) {
        return None;
    }
    let ports = || contacts.all.iter().flat_map(|contact| &contact.packets).filter_map(|sent| sent.port);
    Some((ports().min()?, ports().max()?))
}

/// Returns the service of a packet. `follows` is the port range of a scan with per-target ports.
fn service(sent: &super::contacts::ContactPacket, follows: Option<(u16, u16)>) -> SampleService {
    let port = match (sent.port, follows) {
        (None, _) => ServicePort::None,
        (Some(_), Some((low, high))) => ServicePort::PerTarget(low, high),
        (Some(port), None) => ServicePort::Fixed(port),
    };
    SampleService { token: sent.token, port }
}

/// Returns the distinct services that a contact probes.
fn services_of(contact: &Contact, follows: Option<(u16, u16)>) -> Vec<SampleService> {
    let mut all: Vec<SampleService> = contact.packets.iter().map(|sent| service(sent, follows)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the reason why retries are unknown; `None` if the run shows them.
fn unknown_retries(contacts: &Contacts) -> Option<&'static str> {
    if !contacts.has_times {
        return Some("the run's log has no times");
    }
    if contacts.all.iter().all(|contact| contact.answered) {
        return Some("every target answered in the sandbox");
    }
    let none = watched_contacts(contacts).is_empty() && counted_targets(contacts).is_empty();
    none.then_some("no silent target was watched for 4 seconds")
}

/// Returns the silent targets whose packet count is complete because the run went on long enough after the
/// first contact.
fn counted_targets(contacts: &Contacts) -> Vec<&Contact> {
    let silent = contacts.counted.iter().filter(|contact| !contact.answered);
    let counted: Vec<&Contact> =
        silent.filter(|contact| contact.at + COUNTED_SECONDS_MIN <= contacts.seconds).collect();
    if is_fan_out(&counted, contacts) { counted } else { Vec::new() }
}

/// Returns the contacts with silent targets whose packets were all traced and whose first packet came early
/// enough in the run for all retries to show.
fn watched_contacts(contacts: &Contacts) -> Vec<&Contact> {
    let silent = |contact: &&Contact| contact.is_complete && !contact.answered;
    let mut durations: Vec<f64> = contacts.all.iter().filter(silent).map(Contact::duration_seconds).collect();
    durations.sort_by(f64::total_cmp);
    let usual = durations.get(quantile_index(durations.len(), WATCHED_QUANTILE)).copied();
    let longest = usual.unwrap_or(WATCH_SECONDS_MIN).max(WATCH_SECONDS_MIN);
    let until = |watch: f64| -> Vec<&Contact> {
        contacts.all.iter().filter(silent).filter(|contact| contact.at + watch <= contacts.seconds).collect()
    };
    // The usual series of retries may reach to the end of the run. Few contacts were then watched for as long, and
    // the minimum applies.
    let all = [longest, WATCH_SECONDS_MIN].map(until).into_iter().find(|all| is_fan_out(all, contacts));
    all.unwrap_or_default()
}

/// Returns whether contacts have enough targets to stand for the scan. A few silent targets among many may be
/// command servers that are down.
fn is_fan_out(some: &[&Contact], contacts: &Contacts) -> bool {
    let targets: HashSet<IpAddr> = some.iter().map(|contact| contact.target).collect();
    !some.is_empty() && targets.len() >= SILENT_TARGETS_MIN.min(contacts.targets.len())
}

/// Returns the index of a quantile among that many ascending values, rounded down.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of contacts")]
fn quantile_index(count: usize, quantile: f64) -> usize {
    (quantile * count.saturating_sub(1) as f64) as usize
}

/// Returns the contacts that scripts are made from: the most reliable group that is not empty.
fn usable_contacts(contacts: &Contacts) -> Vec<&Contact> {
    let watched = watched_contacts(contacts);
    if contacts.has_times && !watched.is_empty() {
        return watched;
    }
    let counted = counted_targets(contacts);
    if contacts.has_times && !counted.is_empty() {
        return counted;
    }
    let silent: Vec<&Contact> = contacts.all.iter().filter(|contact| !contact.answered).collect();
    if is_fan_out(&silent, contacts) { silent } else { contacts.all.iter().collect() }
}

/// Converts contacts to scripts. `place` returns a packet's index in [`Scan::services`].
fn scripts(
    contacts: &[&Contact],
    place: &dyn Fn(&super::contacts::ContactPacket) -> Option<usize>,
) -> Vec<Script> {
    let mut scripts = Vec::new();
    for contact in contacts.iter().take(SCRIPTS_MAX) {
        let mut ports: Vec<Option<u16>> = Vec::new();
        let mut cues = Vec::new();
        for sent in &contact.packets {
            let Some(service) = place(sent) else { continue };
            let known = ports.iter().position(|port| *port == sent.source_port).unwrap_or_else(|| {
                ports.push(sent.source_port);
                ports.len() - 1
            });
            let source_port = u16::try_from(known).unwrap_or(u16::MAX);
            cues.push(ScriptPacket { after: sent.after, service, source_port });
        }
        scripts.push(Script { packets: cues });
    }
    scripts
}

/// Returns the share of scripts by number of packets.
fn attempt_shares(scripts: &[Script]) -> BTreeMap<u64, f64> {
    let mut shares = BTreeMap::new();
    for script in scripts {
        *shares.entry(script.packets.len() as u64).or_default() += 1.0 / scripts.len() as f64;
    }
    shares
}

/// Infers how source ports are chosen from the window with the most destinations. A window with one
/// destination has one source port in either case.
fn source_ports(sample: &SampleProfile) -> SourcePorts {
    let windows = sample.scan_windows().map(|window| &window.fingerprint.whole.parameters);
    match windows.max_by_key(|one| one.destinations) {
        Some(largest)
            if largest.destinations > 1
                && matches!(largest.source_port_use, SourcePortUse::One | SourcePortUse::None) =>
        {
            SourcePorts::One
        }
        _ => SourcePorts::PerTarget,
    }
}

/// Returns the answered contacts; `None` if there are none.
fn answered_contacts(contacts: &Contacts) -> Option<AnsweredContacts> {
    let answered: Vec<&Contact> = contacts.all.iter().filter(|contact| contact.answered).collect();
    let count = answered.len() as f64;
    let packets: usize = answered.iter().map(|contact| contact.packets.len()).sum();
    (count > 0.0).then(|| AnsweredContacts {
        share: count / contacts.all.len() as f64,
        packets: packets as f64 / count,
    })
}
