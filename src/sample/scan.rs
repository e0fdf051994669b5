//! How a sample scans, inferred from its sandbox run: what a projection onto a sensor is made from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::behavior::{Ports, ProtocolToken, SourcePortUse};
use crate::event::{Protocol, TcpFlags};

use super::contacts::{Contact, Contacts};
use super::{SampleProfile, Targeting};

/// A silent target must have been watched for so long before its packets count as all it gets: the first retry of TCP
/// comes after 1 s (Linux) or 3 s (Windows, BSD).
const WATCH_SECONDS_MIN: f64 = 4.0;
/// Where only a window is known in which a target was first asked, so long before the run's end the window must end.
const COUNTED_SECONDS_MIN: f64 = 21.0;
/// Scripts that are remembered.
const SCRIPTS_MAX: usize = 512;
/// When systems of the time of the report send a SYN again (Windows: 0, 3 and 9 s).
const USUAL_RETRIES: [f64; 2] = [3.0, 9.0];
/// Shares of hosts with another system than the sandbox that are taken as equally likely.
const OTHER_SYSTEMS: [f64; 2] = [0.01, 0.15];
/// Rates that are taken as equally likely where a run gives none, in targets a second.
const USUAL_RATES: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 100.0];

/// A service that the sample scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Service {
    /// Protocol and flags.
    pub token: ProtocolToken,
    /// Where to.
    pub port: Port,
}

/// A destination port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Port {
    /// None: ICMP, ARP.
    None,
    /// Always this one.
    Is(u16),
    /// Another one for each target, within these.
    Anew(u16, u16),
}

/// `445/TCP:S`, `*/UDP` (another port for each target), `ICMP`.
impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Port::None => {}
            Port::Is(port) => write!(f, "{port}/")?,
            Port::Anew(..) => f.write_str("*/")?,
        }
        write!(f, "{}", std::iter::once(self.token).collect::<crate::behavior::ProtocolSet>())
    }
}

/// A packet of a script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cue {
    /// Seconds since the target's first packet.
    pub after: f64,
    /// Place in [`Scan::services`].
    pub service: usize,
    /// Which of the target's source ports, counted from 0.
    pub source_port: u16,
}

/// All that one target gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Its packets in time order.
    pub cues: Vec<Cue>,
}

/// How source ports are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcePorts {
    /// One for the whole scan, as raw-socket scanners do; or none.
    One,
    /// New ones for each target, as `connect` does.
    PerTarget,
}

/// Packets that a silent target gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attempts {
    /// Share of targets by their number of packets.
    pub shares: BTreeMap<u64, f64>,
    /// Why the number is a guess: nobody was silent for long enough to see retries.
    pub unknown: Option<&'static str>,
}

/// What an answer changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Answered {
    /// Share of targets that answered in the sandbox.
    pub share: f64,
    /// Mean number of packets until the answer.
    pub packets: f64,
}

/// A scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// How targets are picked.
    pub targeting: Targeting,
    /// What is asked, most often first, with the share of targets asked for it.
    pub services: Vec<(Service, f64)>,
    /// What targets get, one script a target seen.
    pub scripts: Vec<Script>,
    /// How often.
    pub attempts: Attempts,
    /// From which ports.
    pub source_ports: SourcePorts,
    /// New targets a second; `None` where times are made up or too short.
    pub targets_per_second: Option<f64>,
    /// What answers change; `None` where nobody answered.
    pub answered: Option<Answered>,
    /// Targets seen.
    pub targets: u64,
    /// Share of hosts whose system sends connections again at other times than the sandbox's.
    pub other_systems: f64,
}

impl Scan {
    /// The scan of a run; `None` where it shows none.
    #[must_use]
    pub fn of(sample: &SampleProfile) -> Option<Scan> {
        let contacts = Contacts::of(sample);
        let targeting = Targeting::of(sample, &contacts);
        let follows = follows(sample, &contacts);
        let mut services: BTreeMap<Service, f64> = BTreeMap::new();
        for contact in &contacts.all {
            for service in services_of(contact, follows) {
                *services.entry(service).or_default() += 1.0 / contacts.all.len() as f64;
            }
        }
        let mut services: Vec<(Service, f64)> = services.into_iter().collect();
        services.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let unknown = unknown(&contacts);
        let place = |service: Service| services.iter().position(|(known, _)| *known == service);
        let scripts = scripts(&usable(&contacts), &|sent| place(service(sent, follows)));
        if scripts.is_empty() {
            return None;
        }
        Some(Scan {
            targeting,
            attempts: Attempts { shares: shares(&scripts), unknown },
            source_ports: source_ports(sample),
            targets_per_second: sample.destinations_per_second(),
            answered: answered(&contacts),
            targets: contacts.targets.len() as u64,
            other_systems: 0.0,
            services,
            scripts,
        })
    }

    /// The scans that it may be where the run does not tell its rate, its retries of TCP, or how many hosts have another
    /// system than the sandbox, each with how likely it is.
    #[must_use]
    pub fn variants(&self) -> Vec<(f64, Scan)> {
        let retries: &[(usize, f64)] = match self.guesses_retries() {
            true => &[(0, 0.5), (1, 0.25), (2, 0.25)],
            false => &[(0, 1.0)],
        };
        let rates: Vec<f64> = self.targets_per_second.map_or_else(|| USUAL_RATES.to_vec(), |rate| vec![rate]);
        let others: &[f64] = if self.source_ports == SourcePorts::One { &[0.0] } else { &OTHER_SYSTEMS };
        let mut all = Vec::new();
        for (retries, weight) in retries {
            for rate in &rates {
                for other_systems in others {
                    let mut scan = Scan {
                        targets_per_second: Some(*rate),
                        other_systems: *other_systems,
                        ..self.clone()
                    };
                    for script in &mut scan.scripts {
                        let first = script.cues.first().copied();
                        let later = USUAL_RETRIES.iter().take(*retries);
                        script.cues.extend(
                            later.filter_map(|after| first.map(|first| Cue { after: *after, ..first })),
                        );
                    }
                    all.push((weight / rates.len() as f64 / others.len() as f64, scan));
                }
            }
        }
        all
    }

    /// Whether a single SYN to each target may have been the first of several.
    fn guesses_retries(&self) -> bool {
        let is_syn = |(service, _): &(Service, f64)| service.token.flags == Some(TcpFlags::SYN);
        self.attempts.unknown.is_some()
            && self.services.iter().any(is_syn)
            && self.scripts.iter().all(|script| script.cues.len() == 1)
    }

    /// What had to be assumed because the run does not show it.
    #[must_use]
    pub fn assumptions(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.attempts.unknown.filter(|_| self.guesses_retries()).map(|why| {
            format!("{why}, so retries of TCP are unknown: none is taken as likely as one (after 3 s) or two (after 9 s)")
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

/// The lowest and highest port, where the port follows the target in most of the run.
fn follows(sample: &SampleProfile, contacts: &Contacts) -> Option<(u16, u16)> {
    let largest =
        sample.scan_windows().max_by_key(|window| window.fingerprint.whole.parameters.destinations)?;
    let parameters = &largest.fingerprint.whole.parameters;
    let many = matches!(parameters.ports, Ports::Many);
    if !parameters.ports_follow_destinations || !(many || parameters.ports_ephemeral) {
        return None;
    }
    let ports = || contacts.all.iter().flat_map(|contact| &contact.sent).filter_map(|sent| sent.port);
    Some((ports().min()?, ports().max()?))
}

fn service(sent: &super::contacts::Sent, follows: Option<(u16, u16)>) -> Service {
    let port = match (sent.port, follows) {
        (None, _) => Port::None,
        (Some(_), Some((low, high))) => Port::Anew(low, high),
        (Some(port), None) => Port::Is(port),
    };
    Service { token: sent.token, port }
}

fn services_of(contact: &Contact, follows: Option<(u16, u16)>) -> Vec<Service> {
    let mut all: Vec<Service> = contact.sent.iter().map(|sent| service(sent, follows)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Why retries cannot be told, if they cannot.
fn unknown(contacts: &Contacts) -> Option<&'static str> {
    if !contacts.timed {
        return Some("the run's log has no times");
    }
    if contacts.all.iter().all(|contact| contact.answered) {
        return Some("every target answered in the sandbox");
    }
    let none = watched(contacts).is_empty() && counted(contacts).is_empty();
    none.then_some("no silent target was watched for 4 seconds")
}

/// Silent targets of which at least the number of packets is whole: each was asked long before the run's end.
fn counted(contacts: &Contacts) -> Vec<&Contact> {
    let silent = contacts.counted.iter().filter(|contact| !contact.answered);
    silent.filter(|contact| contact.at + COUNTED_SECONDS_MIN <= contacts.seconds).collect()
}

/// Silent targets whose packets are told and were waited for long enough to be all.
fn watched(contacts: &Contacts) -> Vec<&Contact> {
    let silent = |contact: &&Contact| contact.whole && !contact.answered;
    let longest = contacts.all.iter().filter(silent).map(Contact::lasted).fold(WATCH_SECONDS_MIN, f64::max);
    let until = |watch: f64| -> Vec<&Contact> {
        contacts.all.iter().filter(silent).filter(|contact| contact.at + watch <= contacts.seconds).collect()
    };
    let all = until(longest);
    // The last retry seen may itself be at the run's very end.
    if all.is_empty() { until(WATCH_SECONDS_MIN) } else { all }
}

/// The contacts that scripts are made from, the best kind that there is.
fn usable(contacts: &Contacts) -> Vec<&Contact> {
    let watched = watched(contacts);
    if contacts.timed && !watched.is_empty() {
        return watched;
    }
    let counted = counted(contacts);
    if contacts.timed && !counted.is_empty() {
        return counted;
    }
    let silent: Vec<&Contact> = contacts.all.iter().filter(|contact| !contact.answered).collect();
    if silent.is_empty() { contacts.all.iter().collect() } else { silent }
}

fn scripts(contacts: &[&Contact], place: &dyn Fn(&super::contacts::Sent) -> Option<usize>) -> Vec<Script> {
    let mut scripts = Vec::new();
    for contact in contacts.iter().take(SCRIPTS_MAX) {
        let mut ports: Vec<Option<u16>> = Vec::new();
        let mut cues = Vec::new();
        for sent in &contact.sent {
            let Some(service) = place(sent) else { continue };
            let known = ports.iter().position(|port| *port == sent.source_port).unwrap_or_else(|| {
                ports.push(sent.source_port);
                ports.len() - 1
            });
            let source_port = u16::try_from(known).unwrap_or(u16::MAX);
            cues.push(Cue { after: sent.after, service, source_port });
        }
        scripts.push(Script { cues });
    }
    scripts
}

fn shares(scripts: &[Script]) -> BTreeMap<u64, f64> {
    let mut shares = BTreeMap::new();
    for script in scripts {
        *shares.entry(script.cues.len() as u64).or_default() += 1.0 / scripts.len() as f64;
    }
    shares
}

/// By the window with most destinations: a window with one destination has one port in either case.
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

fn answered(contacts: &Contacts) -> Option<Answered> {
    let answered: Vec<&Contact> = contacts.all.iter().filter(|contact| contact.answered).collect();
    let count = answered.len() as f64;
    let packets: usize = answered.iter().map(|contact| contact.sent.len()).sum();
    (count > 0.0)
        .then(|| Answered { share: count / contacts.all.len() as f64, packets: packets as f64 / count })
}

impl Service {
    /// Whether a darknet can see it: ARP stays on the victim's own link.
    #[must_use]
    pub fn is_routed(&self) -> bool {
        self.token.protocol != Protocol::Arp
    }
}
