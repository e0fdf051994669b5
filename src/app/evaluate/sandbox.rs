//! A family's sample in a sandbox: a run of some minutes among other traffic, reduced as any sandbox capture is.

use std::net::{IpAddr, Ipv4Addr};

use crate::packet::{Packet, Protocol, TcpFlags};
use crate::rules::Rules;
use crate::sample::{
    Discovery, Identity, PartialDate, ResolvedAddresses, SampleCapture, SampleProfile, SampleReport,
    SplitMix64, Traffic,
};

use super::super::sandbox::LoadedSample;
use super::conditions::SandboxConditions;
use super::family::{EvaluationFamily, FamilyTargeting};
use super::victim::{EvaluationVictim, public_address, with_times};

const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 20, 21));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 20, 2));
/// Targets asked in a run, at most: sandboxes cut fast scanners short.
const TARGETS_MAX: usize = 2_000;

/// Runs a sample of a family; `date` is when it was caught. The number of the variant tells the samples of one
/// family apart.
pub(super) fn run(
    (family, variant): (&EvaluationFamily, u64),
    date: Option<PartialDate>,
    conditions: SandboxConditions,
    rules: &Rules,
    random: &mut SplitMix64,
) -> LoadedSample {
    let mut victim = EvaluationVictim::from_family(family, VICTIM, random);
    (victim.rate, victim.retries, victim.maker) = (family.rate, family.retries.clone(), family.maker);
    let SandboxConditions { dead_server, answering, seconds } = conditions;
    let mut packets = background_lookups(random, seconds);
    let mut at = 5.0;
    let mut asked = 0;
    while at < seconds && asked < TARGETS_MAX {
        let start = u32::from(public_address(random));
        let (targets, stride) = match family.targeting {
            FamilyTargeting::Uniform => (1, 1),
            FamilyTargeting::Sweep { targets, stride } => (targets, stride),
        };
        for step in 0..targets {
            if at >= seconds || asked >= TARGETS_MAX {
                break;
            }
            let target = Ipv4Addr::from(start.saturating_add(step * stride));
            let mut sent = Vec::new();
            victim.probe(family, at, target, random, &mut sent);
            packets.extend(with_replies(sent, random.unit() < answering));
            at += random.waiting_time(victim.rate);
            asked += 1;
        }
    }
    if dead_server {
        packets.extend(dead_server_contacts(family, seconds, random));
    }
    packets.retain(|(at, _)| *at < seconds);
    let id = format!("{:032x}", 0xfa31_0000_0000_0000_u64 | variant << 32 | family.number);
    let packets = with_times(&packets, 1.0e9);
    let names = ResolvedAddresses::new();
    let plumbing = |packet: &Packet| rules.infrastructure_rule(packet).map(str::to_owned);
    let (victims, servers) = ([VICTIM], [SERVER]);
    let traffic = Traffic::from_packets(&packets, &victims, &servers, &names, &plumbing);
    let profile = SampleProfile::from_packets(&id, &packets, &[], &traffic, &rules.profile);
    LoadedSample {
        path: id.clone().into(),
        text: String::new(),
        report: report(id, family, date),
        profile,
        unread_reason: None,
    }
}

/// What a target that answers makes of a contact: a SYN is answered, and data follow.
fn with_replies(sent: Vec<(f64, Packet)>, answers: bool) -> Vec<(f64, Packet)> {
    let Some((at, first)) = sent.first().copied().filter(|(_, packet)| answers && packet.flags().is_some())
    else {
        return sent;
    };
    let back = first
        .with_source(first.destination())
        .with_destination(first.source())
        .with_source_port(first.destination_port())
        .with_destination_port(first.source_port())
        .with_flags(Some(TcpFlags(0x12)));
    let then = first.with_flags(Some(TcpFlags(0x10)));
    vec![(at, first), (at + 0.05, back), (at + 0.06, then)]
}

/// What a system does beside: names looked up at the sandbox's own server.
fn background_lookups(random: &mut SplitMix64, seconds: f64) -> Vec<(f64, Packet)> {
    let ask = |at: f64, port: u16| {
        let packet = Packet::new(VICTIM, SERVER, Protocol::Udp)
            .with_source_port(Some(port))
            .with_destination_port(Some(53));
        (at, packet)
    };
    (0..10).map(|number| ask(random.unit() * seconds, 1_100 + number)).collect()
}

/// What a sample sends to a command server that is down: a connection every minute, on a scanned port half of
/// the time.
fn dead_server_contacts(
    family: &EvaluationFamily,
    seconds: f64,
    random: &mut SplitMix64,
) -> Vec<(f64, Packet)> {
    let server = IpAddr::V4(public_address(random));
    let scanned = family.ports.first().map_or(4_321, |(port, _)| *port);
    let port = if random.below(2) == 0 { scanned } else { 4_321 };
    let mut packets = Vec::new();
    let mut at = 2.0;
    let mut source_port = 1_050;
    while at < seconds {
        let packet = Packet::new(VICTIM, server, Protocol::Tcp)
            .with_source_port(Some(source_port))
            .with_destination_port(Some(port))
            .with_flags(Some(TcpFlags::SYN));
        packets.extend([0.0, 3.0, 9.0].map(|after| (at + after, packet)));
        (at, source_port) = (at + 30.0 + 10.0 * random.unit(), source_port + 1);
    }
    packets
}

/// Names a family.
pub(super) fn family_name(family: &EvaluationFamily) -> String {
    format!("family {}", family.number)
}

fn report(id: String, family: &EvaluationFamily, date: Option<PartialDate>) -> SampleReport {
    SampleReport {
        identity: Identity { md5: Some(id.clone()), ..Identity::default() },
        family: Some(family_name(family)),
        discovered: date.map(|date| Discovery { date, source: Some("family".to_owned()) }),
        captures: vec![SampleCapture::Path(id)],
        ..SampleReport::default()
    }
}
