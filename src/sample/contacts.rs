//! Groups the scan events of a sandbox run by target: when each target was contacted, and with which packets.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::behavior::{Probe, ProtocolToken};

use super::SampleProfile;

/// Time in seconds without packets after which a packet to a known target begins a new contact. It exceeds
/// the longest usual pause between TCP retries, 48 s (RFC 6298 doubles the pause, from 1 s or 3 s).
const NEW_CONTACT_SECONDS: f64 = 60.0;

/// Maximum number of packets from one socket to one target that are counted. No operating system retries more
/// often.
const PACKETS_MAX: u64 = 8;

/// One packet of a contact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ContactPacket {
    /// Seconds since the contact's first packet.
    pub(super) after: f64,
    /// Protocol and, for TCP, flags.
    pub(super) token: ProtocolToken,
    /// Destination port.
    pub(super) port: Option<u16>,
    /// Source port.
    pub(super) source_port: Option<u16>,
}

/// The packets to one target without a pause of more than [`NEW_CONTACT_SECONDS`].
#[derive(Clone, Debug)]
pub(super) struct Contact {
    /// The target.
    pub(super) target: IpAddr,
    /// Seconds since the run's first scan event; 0 if times are unknown.
    pub(super) at: f64,
    /// The packets in time order.
    pub(super) packets: Vec<ContactPacket>,
    /// Whether every packet to the target was traced and belongs to this or another contact.
    pub(super) is_complete: bool,
    /// Whether the target answered in the sandbox.
    pub(super) answered: bool,
}

/// The contacts of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts {
    /// The contacts with traced packets, in the order of their first packets.
    pub(super) all: Vec<Contact>,
    /// One contact per target from the windows' packet counts, which are complete even where packets were not
    /// traced. Its time is that of the target's first traced packet, or else the end of the window in which
    /// the target was first contacted. Its packets have the times at which operating systems usually retry.
    pub(super) counted: Vec<Contact>,
    /// Distinct targets of the run in the order of first contact, traced or not, each with the start of its
    /// first window in seconds since the run's first scan event.
    pub(super) targets: Vec<(f64, IpAddr)>,
    /// The addresses of the victim hosts.
    pub(super) victims: Vec<IpAddr>,
    /// Seconds from the first scan event to the last.
    pub(super) seconds: f64,
    /// Whether the times are known, that is, neither missing nor synthetic.
    pub(super) has_times: bool,
}

impl Contacts {
    /// Gathers the contacts of a run's scan, without peer lookups.
    pub(super) fn from_profile(sample: &SampleProfile) -> Contacts {
        let mut gathered = ContactCollector::default();
        let origin = sample.scan_windows().filter_map(|window| window.window.start).min();
        for scan in sample.scan_windows() {
            let window = &scan.window;
            let since = |time| {
                origin.zip(time).map_or(0.0, |(from, to): (crate::packet::Timestamp, _)| {
                    crate::packet::Timestamp::seconds_since(to, from)
                })
            };
            let start = since(window.start);
            for (micros, probe) in window.traced() {
                gathered.add(start + f64::from(micros) / 1e6, probe);
            }
            let end = since(window.end);
            for (probe, count) in window.probes.iter() {
                gathered.count((start, end), probe, count);
            }
            gathered.contacts.seconds = gathered.contacts.seconds.max(end);
            if !gathered.contacts.victims.contains(&window.source) {
                gathered.contacts.victims.push(window.source);
            }
        }
        gathered.contacts.has_times = !sample.synthetic_time && origin.is_some();
        gathered.finish(sample)
    }
}

#[derive(Default)]
struct ContactCollector {
    contacts: Contacts,
    /// Index of the last contact with each target.
    last: HashMap<IpAddr, usize>,
    /// Number of packets to each target: all, and those that were traced.
    packets: HashMap<IpAddr, (u64, u64)>,
    /// Index of each target in [`Contacts::counted`].
    counted: HashMap<IpAddr, usize>,
}

impl ContactCollector {
    fn add(&mut self, at: f64, probe: &Probe) {
        let target = probe.destination();
        self.packets.entry(target).or_default().1 += 1;
        let all = &mut self.contacts.all;
        let known = self.last.get(&target).and_then(|place| all.get_mut(*place));
        let sent = |after| ContactPacket { after, ..contact_packet(probe) };
        match known {
            Some(contact) if at - contact.at - contact.duration_seconds() <= NEW_CONTACT_SECONDS => {
                contact.packets.push(sent(at - contact.at));
            }
            _ => {
                self.last.insert(target, all.len());
                all.push(Contact {
                    target,
                    at,
                    packets: vec![sent(0.0)],
                    is_complete: true,
                    answered: false,
                });
            }
        }
    }

    fn count(&mut self, (start, end): (f64, f64), probe: &Probe, count: u64) {
        let target = probe.destination();
        let all = &mut self.contacts.counted;
        let place = *self.counted.entry(target).or_insert_with(|| {
            self.contacts.targets.push((start, target));
            all.push(Contact { target, at: end, packets: Vec::new(), is_complete: true, answered: false });
            all.len() - 1
        });
        self.packets.entry(target).or_default().0 += count;
        let sent = &mut all[place].packets;
        let same = |known: &ContactPacket| {
            (known.port, known.source_port) == (probe.destination_port(), probe.source_port())
        };
        let before = sent.iter().filter(|known| same(known)).count() as u64;
        let packets = (before..before.saturating_add(count).min(PACKETS_MAX))
            .map(|number| ContactPacket { after: usual_retry_time(number), ..contact_packet(probe) });
        sent.extend(packets);
    }

    fn finish(self, sample: &SampleProfile) -> Contacts {
        let ContactCollector { mut contacts, packets, counted, .. } = self;
        let answering: HashSet<(IpAddr, Option<u16>)> = sample
            .accesses
            .keys()
            .filter(|access| access.reason.is_answered())
            .map(|access| (access.destination, access.port))
            .collect();
        for contact in &mut contacts.all {
            contact.is_complete = packets.get(&contact.target).is_some_and(|(all, told)| all == told);
        }
        // A target with a traced packet was contacted at the time of that packet, not at the end of its
        // window.
        for contact in contacts.all.iter().rev() {
            if let Some(place) = counted.get(&contact.target) {
                contacts.counted[*place].at = contact.at;
            }
        }
        for contact in contacts.all.iter_mut().chain(&mut contacts.counted) {
            contact.answered =
                contact.packets.iter().any(|sent| answering.contains(&(contact.target, sent.port)));
        }
        contacts.counted.iter_mut().for_each(rescale_times);
        contacts
    }
}

fn contact_packet(probe: &Probe) -> ContactPacket {
    ContactPacket {
        after: 0.0,
        token: ProtocolToken { protocol: probe.protocol(), flags: probe.flags() },
        port: probe.destination_port(),
        source_port: probe.source_port(),
    }
}

/// Returns the time in seconds of the `number`-th retry of a system that doubles its pauses from 3 s: 3, 9
/// and 21 s. The first packet (0) is at 0 s.
fn usual_retry_time(number: u64) -> f64 {
    3.0 * ((number as f64).exp2() - 1.0)
}

/// Divides the times by 3 if there are more than four packets. A system that sends so many begins with a
/// pause of 1 s, not 3 s; otherwise, the fifth packet would be sent after 45 s.
fn rescale_times(contact: &mut Contact) {
    let last = contact.duration_seconds();
    if last > usual_retry_time(3) {
        contact.packets.iter_mut().for_each(|sent| sent.after /= 3.0);
    }
    contact.packets.sort_by(|a, b| a.after.total_cmp(&b.after));
}

impl Contact {
    /// Returns the seconds from the first packet of the contact to the last.
    pub(super) fn duration_seconds(&self) -> f64 {
        self.packets.last().map_or(0.0, |sent| sent.after)
    }
}
