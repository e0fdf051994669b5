//! Tests of probe signatures: known tools, loss, a simple reference, services, texts.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::{
    Agreement, Engine, Feature, FeatureValue, Marks, OpenWindow, ProbeSignature, Profile, Signatures,
    remarkable,
};
use crate::packet::{
    IcmpKind, Packet, PayloadDigest, ProbeHeader, ProbeKind, Protocol, TcpFlags, TcpOptions, Timestamp,
    UnusedFields,
};

fn window_of(packets: &[Packet]) -> OpenWindow {
    let mut engine = Engine::new(Profile::default());
    for packet in packets {
        engine.push(packet, Marks::default(), &mut |_| {});
    }
    engine.take_open().remove(0)
}

fn signature_of(packets: &[Packet]) -> Option<ProbeSignature> {
    window_of(packets).signature()
}

/// A SYN from 10.0.0.1 with the options of Linux.
fn syn(destination: u32, source_port: u16, id: u16, sequence: u32) -> Packet {
    let options = TcpOptions::parse(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
    Packet::new([10, 0, 0, 1].into(), Ipv4Addr::from_bits(destination).into(), Protocol::Tcp)
        .with_time(Timestamp::from_parts(1_236_000_000, 0))
        .with_source_port(Some(source_port))
        .with_destination_port(Some(23))
        .with_flags(Some(TcpFlags::SYN))
        .with_ip_id(Some(id))
        .with_ttl(Some(47))
        .with_sequence(Some(sequence))
        .with_tcp_window(Some(29_200))
        .with_probe(ProbeHeader::syn(options, UnusedFields::Empty).with_dont_fragment(Some(true)))
}

fn udp(destination: u32, source_port: u16, id: u16, payload: &[u8]) -> Packet {
    let probe = ProbeHeader::new(ProbeKind::Datagram).with_payload(PayloadDigest::of(payload));
    syn(destination, source_port, id, 0)
        .with_protocol(Protocol::Udp)
        .with_flags(None)
        .with_sequence(None)
        .with_tcp_window(None)
        .with_probe(probe.with_dont_fragment(Some(false)))
}

fn ping(destination: u32, id: u16, numbers: u32, payload: &[u8]) -> Packet {
    let probe = ProbeHeader::new(ProbeKind::Request).with_payload(PayloadDigest::of(payload));
    udp(destination, 0, id, &[])
        .with_protocol(Protocol::Icmp)
        .with_source_port(None)
        .with_destination_port(None)
        .with_icmp(Some(IcmpKind { kind: 8, code: Some(0) }))
        .with_sequence(Some(numbers))
        .with_probe(probe.with_dont_fragment(Some(false)))
}

/// A number that follows no pattern. The lowest bit is set, so that no number is remarkable for being small.
fn mixed(seed: u32) -> u32 {
    let mixed =
        seed.wrapping_mul(0x9e37_79b9) ^ seed.wrapping_add(77).wrapping_mul(0x85eb_ca6b).rotate_left(13);
    mixed | 0x0801_2001
}

fn low(number: u32) -> u16 {
    u16::try_from(number & 0xffff).unwrap()
}

/// Builds the probe of a bot to a destination.
type Bot = fn(u32) -> Packet;

/// Bots, each with the text of its signature when several probes are seen.
fn bots() -> Vec<(Bot, &'static str)> {
    const LINUX: &str = "window=29200|options=mss,sok,ts,nop,ws|mss=1460|wscale=7";
    fn tool(packet: Packet, window: u16) -> Packet {
        let probe = ProbeHeader::syn(TcpOptions::NONE, UnusedFields::Empty).with_dont_fragment(Some(false));
        packet.with_tcp_window(Some(window)).with_ttl(Some(250)).with_probe(probe)
    }
    let linux =
        Box::leak(format!("ps1|syn|ttl=64|df=1|id=*|sport=*|{LINUX}|seq=*|unused=0").into_boxed_str());
    vec![
        (|at| syn(at, low(at).max(1025), low(mixed(at)), mixed(at + 5)), linux),
        (
            |at| tool(syn(at, 50_001, low(mixed(at)), at), 51_211),
            "ps1|syn|ttl=255|df=0|id=*|sport=constant|window=constant|options=none|mss=-|wscale=-|seq=destination|unused=0",
        ),
        (
            |at| tool(syn(at, 40_001, low(at ^ 23 ^ mixed(at)), mixed(at)), 1024),
            "ps1|syn|ttl=255|df=0|id=masscan|sport=constant|window=1024|options=none|mss=-|wscale=-|seq=*|unused=0",
        ),
        (
            |at| tool(syn(at, 6000, 256, 0x4711_0815), 16_384),
            "ps1|syn|ttl=255|df=0|id=256|sport=6000|window=16384|options=none|mss=-|wscale=-|seq=1192298517|unused=0",
        ),
        (
            |at| udp(at, 40_001, 54_321, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"),
            "ps1|datagram|ttl=64|df=0|id=54321|sport=constant|length=12|payload=41599507",
        ),
        (
            |at| ping(at, low(mixed(at)), (512 << 16) | u32::from(low(at)), b"abc"),
            "ps1|request|ttl=64|df=0|id=*|length=3|payload=dab35f81|icmp-id=512|icmp-seq=*",
        ),
    ]
}

#[test]
fn bots_have_their_signatures() {
    for (bot, expected) in bots() {
        let packets: Vec<Packet> = (0..9).map(|at| bot(mixed(at))).collect();
        let signature = signature_of(&packets).unwrap();
        assert_eq!(signature.to_string(), expected);
        assert_eq!(expected.parse(), Ok(signature));
    }
}

#[test]
fn loss_and_the_size_of_the_sensor_change_no_signature() {
    for (bot, expected) in bots() {
        let expected: ProbeSignature = expected.parse().unwrap();
        // The bot scans a /16 at random; the /24 sees one of 256 probes, and the recorders lose 0, 30 or 60 percent.
        let probes: Vec<u32> = (0..4000).map(|at| 0xc000_0000 | mixed(at) & 0xffff).collect();
        for prefix in [0, 0x2000] {
            for loss in [0, 3, 6] {
                let is_seen = |at: &u32| at & 0xff00 & prefix == prefix && (mixed(*at) >> 7) % 10 >= loss;
                let seen: Vec<Packet> = probes.iter().filter(|at| is_seen(at)).map(|at| bot(*at)).collect();
                for windows in [2, 3, 40] {
                    for window in seen.chunks(windows).filter(|window| window.len() > 1) {
                        let signature = signature_of(window).unwrap();
                        assert_eq!(signature, expected, "{prefix} {loss} {windows}");
                    }
                }
                // A single probe, with a retry, leaves open what only several can show. One random number in a thousand
                // is remarkable.
                let mut accidents = 0;
                for packet in &seen {
                    let single = signature_of(&[*packet, *packet]).unwrap();
                    accidents += usize::from(!single.is_compatible(&expected));
                    for (feature, agreement) in single.compare(&expected) {
                        let is_open = single.value(feature) == FeatureValue::Other
                            || expected.value(feature) == FeatureValue::Unknown;
                        assert!(is_open || agreement != Agreement::Unknown, "{single} {feature}");
                    }
                }
                assert!(accidents * 200 <= seen.len() + 200, "{accidents} of {}", seen.len());
            }
        }
    }
}

#[test]
fn bots_differ_where_they_should() {
    let bots = bots();
    for (place, (_, one)) in bots.iter().enumerate() {
        for (_, other) in &bots[..place] {
            let [one, other]: [ProbeSignature; 2] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(one.is_compatible(&other), one.kind() != other.kind(), "{one} {other}");
        }
    }
}

#[test]
fn each_service_has_its_own_signature() {
    let to = |packet: Packet, port: u16| packet.with_destination_port(Some(port));
    let mut packets = Vec::new();
    for at in 0..6 {
        packets.push(to(syn(at, 1025, 7, mixed(at)), 23));
        packets.push(to(syn(at, 1026, 9, mixed(at)), 2323).with_ttl(Some(200)));
        packets.push(to(udp(at, 53, 0, b"x"), 23));
        packets.push(to(syn(at, 23, 0, 0), 80).with_flags(Some(TcpFlags::RST)).with_probe(ProbeHeader::NONE));
    }
    let window = window_of(&packets);
    let text = |signature: Option<ProbeSignature>| signature.map(|signature| signature.to_string());
    assert_eq!(text(window.signature()).unwrap(), "ps1|mixed|ttl=*|df=*|id=*");
    let of = |place: usize| text(window.service_signature(window.probes.get(place).unwrap()));
    assert!(of(0).unwrap().starts_with("ps1|syn|ttl=64|df=1|id=7|sport=constant|"));
    assert!(of(1).unwrap().starts_with("ps1|syn|ttl=255|df=1|id=9|sport=constant|"));
    assert!(of(2).unwrap().starts_with("ps1|datagram|ttl=64|df=0|id=0|sport=53|length=1|"));
    assert_eq!(of(3), None);
}

#[test]
fn packets_that_begin_nothing_have_no_signature() {
    let answer = syn(1, 23, 0, 0).with_probe(ProbeHeader::NONE);
    assert_eq!(signature_of(&[answer]), None);
    let blank = Packet::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), Protocol::Icmp)
        .with_probe(ProbeHeader::new(ProbeKind::Request));
    assert_eq!(signature_of(&[blank]), None);
}

#[test]
fn numbers_are_those_of_the_texts_and_bounded() {
    let mut signatures = Signatures::default();
    let signature: ProbeSignature = "ps1|syn|ttl=64".parse().unwrap();
    assert_eq!(signatures.number(&signature), Some(signature.number()));
    for at in 0..5000u32 {
        let packets =
            [udp(1, 40_001, 9, &mixed(at).to_le_bytes()), udp(2, 40_002, 9, &mixed(at).to_le_bytes())];
        assert!(signatures.number(&signature_of(&packets).unwrap()).is_some());
    }
    assert!(signatures.without_payload() > 800 && signatures.left_out() == 0);
    let list = signatures.into_list();
    assert_eq!(list.len(), 4098);
    assert!(list.is_sorted_by_key(|(number, _)| *number));
}

#[test]
fn texts_that_are_no_signature_are_refused() {
    for text in [
        "",
        "ps1",
        "ps2|syn",
        "ps1|arp",
        "ps1|syn|ttl",
        "ps1|syn|ttl=x",
        "ps1|syn|df=1|ttl=64",
        "ps1|syn|ttl=064",
    ] {
        assert!(text.parse::<ProbeSignature>().is_err(), "{text}");
    }
}

/// Computes a signature directly from the packets, one feature after the other. It is the reference for the folds.
fn reference(packets: &[Packet]) -> Option<ProbeSignature> {
    let probes: Vec<Packet> = packets.iter().filter(|one| one.probe().kind().is_some()).copied().collect();
    let first = probes.first()?;
    let is_single = probes.iter().all(|one| {
        (one.destination(), one.source_port(), one.destination_port(), one.protocol())
            == (first.destination(), first.source_port(), first.destination_port(), first.protocol())
    });
    let kind = first.probe().kind().filter(|kind| probes.iter().all(|one| one.probe().kind() == Some(*kind)));
    let mut signature = ProbeSignature::new(kind);
    let plain = |value: &dyn Fn(&Packet) -> FeatureValue| {
        let values: Vec<FeatureValue> = probes.iter().map(value).collect();
        if values.iter().all(|one| *one == values[0]) { values[0] } else { FeatureValue::Varies }
    };
    let number = |number: Option<u32>| number.map_or(FeatureValue::Unknown, FeatureValue::Number);
    let chosen = |value: &dyn Fn(&Packet) -> Option<u32>,
                  relation: &dyn Fn(&Packet) -> bool,
                  is_remarkable: &dyn Fn(u32) -> bool,
                  keeps_number: bool| {
        if probes.iter().all(relation) {
            return FeatureValue::Relation;
        }
        match plain(&|one| number(value(one))) {
            FeatureValue::Number(number) if is_remarkable(number) => FeatureValue::Number(number),
            FeatureValue::Number(_) if is_single => FeatureValue::Other,
            FeatureValue::Number(_) if !keeps_number => FeatureValue::Constant,
            value => value,
        }
    };
    let never = |_: &Packet| false;
    let destination = |one: &Packet| match one.destination() {
        IpAddr::V4(four) => four.to_bits(),
        IpAddr::V6(_) => 0,
    };
    let ttl = |one: &Packet| {
        number(Some([32, 64, 128, 255].into_iter().find(|t| *t >= u32::from(one.ttl().unwrap())).unwrap()))
    };
    signature.set(Feature::Ttl, plain(&ttl));
    signature.set(Feature::DontFragment, plain(&|one| number(one.probe().dont_fragment().map(u32::from))));
    let masscan = |one: &Packet| {
        let port = u32::from(one.destination_port().unwrap_or(0));
        one.protocol() == Protocol::Tcp
            && low(destination(one) ^ port ^ one.sequence().unwrap_or(0)) == one.ip_id().unwrap()
    };
    let id = |one: &Packet| one.ip_id().map(u32::from);
    signature.set(Feature::IpId, chosen(&id, &masscan, &|id| remarkable::ip_id(low(id)), true));
    if matches!(kind, Some(ProbeKind::Syn | ProbeKind::Datagram)) {
        let port = |one: &Packet| one.source_port().map(u32::from);
        let same = |one: &Packet| one.source_port() == one.destination_port();
        signature.set(
            Feature::SourcePort,
            chosen(&port, &same, &|port| remarkable::source_port(low(port)), false),
        );
    }
    if kind == Some(ProbeKind::Syn) {
        let options = |one: &Packet| one.probe().options().unwrap();
        let kinds = |one: &Packet| FeatureValue::Options(options(one).with_mss(0));
        let optional = |value: Option<u32>| value.map_or(FeatureValue::Absent, FeatureValue::Number);
        signature.set(Feature::Options, plain(&kinds));
        signature.set(Feature::Mss, plain(&|one| optional(options(one).mss().map(u32::from))));
        signature
            .set(Feature::WindowScale, plain(&|one| optional(options(one).window_scale().map(u32::from))));
        signature.set(Feature::Unused, plain(&|one| FeatureValue::of_unused(one.probe().unused().unwrap())));
        let window = |one: &Packet| one.tcp_window().map(u32::from);
        let mss = options(first).mss();
        let is_round = |window: u32| remarkable::tcp_window(low(window), mss);
        signature.set(Feature::Window, chosen(&window, &never, &is_round, false));
        let is_destination = |one: &Packet| one.sequence() == Some(destination(one));
        signature.set(
            Feature::Sequence,
            chosen(&|one| one.sequence(), &is_destination, &remarkable::sequence, true),
        );
    } else if kind.is_some() {
        let payload = |one: &Packet| one.probe().payload().unwrap();
        signature.set(Feature::Length, plain(&|one| number(Some(u32::from(payload(one).length)))));
        let content = |one: &Packet| match payload(one) {
            PayloadDigest { length: 0, .. } => FeatureValue::Absent,
            PayloadDigest { hash, .. } => number(hash),
        };
        signature.set(Feature::Payload, plain(&content));
    }
    if kind == Some(ProbeKind::Request) {
        let icmp_id = |one: &Packet| one.sequence().map(|number| number >> 16);
        let sequence = |one: &Packet| one.sequence().map(|number| number & 0xffff);
        let is_id = |id: u32| remarkable::icmp_id(low(id));
        signature.set(Feature::IcmpId, chosen(&icmp_id, &never, &is_id, false));
        let is_first = |number: u32| remarkable::icmp_sequence(low(number));
        signature.set(Feature::IcmpSequence, chosen(&sequence, &never, &is_first, false));
    }
    Some(signature)
}

/// Packets of few different values, so that fields are often constant and relations hold.
fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let kinds = prop::sample::select(vec![vec![0u8], vec![0], vec![1], vec![2], vec![0, 1, 2, 3]]);
    let fields = (0u32..3, 0u16..3, 0u16..4, 0u32..4, 0usize..3, 0u8..4);
    (kinds, prop::collection::vec((any::<prop::sample::Index>(), fields), 1..7)).prop_map(
        |(kinds, packets)| {
            let one = |(kind, (destination, port, id, sequence, options, ttl)): (prop::sample::Index, _)| {
                let port = [1999u16, 23, 50_007][usize::from(port)];
                let id = [7, 54_321, low(destination ^ 23 ^ sequence), 99][usize::from(id)];
                let sequence = [70_001, destination, 5, 99_999][sequence as usize];
                let packet = match kind.get(&kinds) {
                    0 => {
                        let options = TcpOptions::parse([&[][..], &[2, 4, 5, 0xb4], &[1, 3, 3, 2]][options]);
                        let unused =
                            [UnusedFields::Empty, UnusedFields::Acknowledgement][usize::from(ttl / 3)];
                        syn(destination, port, id, sequence)
                            .with_tcp_window(Some([1024, 2999][usize::from(ttl % 2)]))
                            .with_probe(ProbeHeader::syn(options, unused).with_dont_fragment(Some(ttl > 1)))
                    }
                    1 => udp(destination, port, id, [&b""[..], b"x", b"yz"][options]),
                    2 => ping(destination, id, sequence << 16 | sequence, [&b""[..], b"x", b"yz"][options]),
                    _ => syn(destination, port, id, sequence).with_probe(ProbeHeader::NONE),
                };
                packet.with_ttl(Some([9, 64, 77, 129][usize::from(ttl)]))
            };
            packets.into_iter().map(one).collect()
        },
    )
}

proptest! {
    #[test]
    fn the_fold_is_the_reference(packets in packets()) {
        let signature = signature_of(&packets);
        prop_assert_eq!(signature, reference(&packets));
        if let Some(signature) = signature {
            prop_assert_eq!(signature.to_string().parse(), Ok(signature));
        }
    }
}
