//! A sandbox run told target by target: who was asked when, how often and how.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::behavior::{Probe, ProtocolToken};

use super::{Reason, SampleProfile};

/// A target that is asked again after so many seconds is asked anew: the longest usual retry of TCP is 48 s after the
/// one before (RFC 6298 doubles from 1 s or 3 s).
const ANEW_SECONDS: f64 = 60.0;

/// Packets of one socket to one target that are counted: no system sends again more often.
const PACKETS_MAX: u64 = 8;

/// A packet of a contact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sent {
    /// Seconds since the contact's first packet.
    pub(super) after: f64,
    /// Protocol and flags.
    pub(super) token: ProtocolToken,
    /// Destination port.
    pub(super) port: Option<u16>,
    /// From which port.
    pub(super) source_port: Option<u16>,
}

/// All that one target got without a long pause.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    /// The target.
    pub(super) target: IpAddr,
    /// Seconds since the run's first scan event; 0 where times are unknown.
    pub(super) at: f64,
    /// What was sent, in time order.
    pub(super) sent: Vec<Sent>,
    /// Whether every packet to the target is told here or in another contact.
    pub(super) whole: bool,
    /// Whether the target answered in the sandbox.
    pub(super) answered: bool,
}

/// A run's contacts.
#[derive(Clone, Debug, Default)]
pub(super) struct Contacts {
    /// In order of their first packets.
    pub(super) all: Vec<Contact>,
    /// The targets again, by their counts, which are whole where times are not told: at the end of the window in which
    /// each was first asked, with the times at which systems usually send again.
    pub(super) counted: Vec<Contact>,
    /// Distinct targets of each window in order of first sight, told or not.
    pub(super) targets: Vec<(f64, IpAddr)>,
    /// The victims.
    pub(super) victims: Vec<IpAddr>,
    /// Seconds from the first scan event to the last.
    pub(super) seconds: f64,
    /// Whether times are known.
    pub(super) timed: bool,
}

impl Contacts {
    /// The contacts of a run's scan; peer lookups are left out.
    pub(super) fn of(sample: &SampleProfile) -> Contacts {
        let mut gathered = Gathered::default();
        let origin = sample.scan_windows().filter_map(|window| window.window.start).min();
        for scan in sample.scan_windows() {
            let window = &scan.window;
            let since = |time| {
                origin.zip(time).map_or(0.0, |(from, to): (crate::event::Timestamp, _)| {
                    crate::event::Timestamp::seconds_since(to, from)
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
        gathered.contacts.timed = !sample.synthetic_time && origin.is_some();
        gathered.finish(sample)
    }
}

#[derive(Default)]
struct Gathered {
    contacts: Contacts,
    /// The last contact with each target.
    last: HashMap<IpAddr, usize>,
    /// Packets to each target: all, and those told.
    packets: HashMap<IpAddr, (u64, u64)>,
    /// The place of each target among those counted.
    counted: HashMap<IpAddr, usize>,
}

impl Gathered {
    fn add(&mut self, at: f64, probe: &Probe) {
        let target = probe.destination();
        self.packets.entry(target).or_default().1 += 1;
        let all = &mut self.contacts.all;
        let known = self.last.get(&target).and_then(|place| all.get_mut(*place));
        let sent = |after| Sent { after, ..sent_of(probe) };
        match known {
            Some(contact) if at - contact.at - contact.lasted() <= ANEW_SECONDS => {
                contact.sent.push(sent(at - contact.at));
            }
            _ => {
                self.last.insert(target, all.len());
                all.push(Contact { target, at, sent: vec![sent(0.0)], whole: true, answered: false });
            }
        }
    }

    fn count(&mut self, (start, end): (f64, f64), probe: &Probe, count: u64) {
        let target = probe.destination();
        let all = &mut self.contacts.counted;
        let place = *self.counted.entry(target).or_insert_with(|| {
            self.contacts.targets.push((start, target));
            all.push(Contact { target, at: end, sent: Vec::new(), whole: true, answered: false });
            all.len() - 1
        });
        self.packets.entry(target).or_default().0 += count;
        let sent = &mut all[place].sent;
        let same =
            |known: &Sent| (known.port, known.source_port) == (probe.destination_port(), probe.source_port());
        let before = sent.iter().filter(|known| same(known)).count() as u64;
        let packets = (before..before.saturating_add(count).min(PACKETS_MAX))
            .map(|number| Sent { after: usual_time(number), ..sent_of(probe) });
        sent.extend(packets);
    }

    fn finish(self, sample: &SampleProfile) -> Contacts {
        let Gathered { mut contacts, packets, counted, .. } = self;
        let answers = |reason: &Reason| matches!(reason, Reason::Answered | Reason::Service);
        let answering: HashSet<(IpAddr, Option<u16>)> = sample
            .accesses
            .keys()
            .filter(|access| answers(&access.reason))
            .map(|access| (access.destination, access.port))
            .collect();
        for contact in &mut contacts.all {
            contact.whole = packets.get(&contact.target).is_some_and(|(all, told)| all == told);
        }
        // A target whose first packet is told was asked then, not at its window's end.
        for contact in contacts.all.iter().rev() {
            if let Some(place) = counted.get(&contact.target) {
                contacts.counted[*place].at = contact.at;
            }
        }
        for contact in contacts.all.iter_mut().chain(&mut contacts.counted) {
            contact.answered =
                contact.sent.iter().any(|sent| answering.contains(&(contact.target, sent.port)));
        }
        contacts.counted.iter_mut().for_each(mend_times);
        contacts
    }
}

fn sent_of(probe: &Probe) -> Sent {
    Sent {
        after: 0.0,
        token: ProtocolToken { protocol: probe.protocol(), flags: probe.flags() },
        port: probe.destination_port(),
        source_port: probe.source_port(),
    }
}

/// When systems that wait twice as long each time send for the so-manieth time again: after 3, 9 and 21 s.
fn usual_time(number: u64) -> f64 {
    3.0 * ((number as f64).exp2() - 1.0)
}

/// Whoever sends more than four times to a target begins after one second, not three, or it would take a minute.
fn mend_times(contact: &mut Contact) {
    let last = contact.lasted();
    if last > usual_time(3) {
        contact.sent.iter_mut().for_each(|sent| sent.after /= 3.0);
    }
    contact.sent.sort_by(|a, b| a.after.total_cmp(&b.after));
}

impl Contact {
    /// Seconds from its first packet to its last.
    pub(super) fn lasted(&self) -> f64 {
        self.sent.last().map_or(0.0, |sent| sent.after)
    }
}
