//! The behavior engine's laws: what must not change a result, whatever the packets are.

use std::net::IpAddr;

use inga::behavior::{Engine, Fingerprint, Marks, OpenWindow, Profile, Types, fingerprint};
use inga::capture::sort_by_time;
use inga::packet::{AddressSpace, IcmpKind, Packet, Protocol, TcpFlags, Timestamp};
use proptest::prelude::*;

/// A packet of one of four hosts to one of 1,024 addresses, up to five seconds after the one before it.
fn packet() -> impl Strategy<Value = (u64, Packet)> {
    let ports = (prop_oneof![Just(445u16), Just(23), 1024..1030u16], 1061..1066u16);
    (0..5_000u64, 0..4u8, 0..1024u16, ports, 0..4u8).prop_map(|(pause, host, to, (port, from), kind)| {
        let [high, low] = to.to_be_bytes();
        let (source, destination) = ([100, 64, 0, host].into(), [10, 1, high, low].into());
        let blank = |protocol| Packet::new(source, destination, protocol);
        let (source_port, destination_port) = (Some(from), Some(port));
        let packet = match kind {
            0 => blank(Protocol::Icmp).with_icmp(Some(IcmpKind { kind: 8, code: Some(0) })),
            1 => blank(Protocol::Udp).with_source_port(source_port).with_destination_port(destination_port),
            _ => blank(Protocol::Tcp)
                .with_source_port(source_port)
                .with_destination_port(destination_port)
                .with_flags(Some(TcpFlags::SYN)),
        };
        (pause, packet)
    })
}

/// A capture in time order.
fn capture() -> impl Strategy<Value = Vec<Packet>> {
    prop::collection::vec(packet(), 1..120).prop_map(|steps| {
        let mut millis = 1_236_000_000_000u64;
        steps
            .into_iter()
            .map(|(pause, packet)| {
                millis += pause;
                let nanoseconds = i64::try_from(millis * 1_000_000).unwrap();
                packet.with_time(Some(Timestamp(nanoseconds)))
            })
            .collect()
    })
}

fn feed(engine: &mut Engine, packets: &[Packet], closed: &mut Vec<OpenWindow>) {
    for packet in packets {
        engine.push(packet, Marks::default(), &mut |windows| closed.extend_from_slice(windows));
    }
}

fn windows(packets: &[Packet]) -> Vec<OpenWindow> {
    let mut engine = Engine::new(Profile::default());
    let mut closed = Vec::new();
    feed(&mut engine, packets, &mut closed);
    engine.finish(&mut |windows| closed.extend_from_slice(windows));
    closed
}

fn fingerprints(mut windows: Vec<OpenWindow>, space: &AddressSpace) -> Vec<Fingerprint> {
    windows.sort_by_key(|window| (window.source, window.start));
    windows.iter().map(|window| fingerprint(window, space, &Profile::default())).collect()
}

fn moved(packets: &[Packet], blocks: u32, nanoseconds: i64) -> Vec<Packet> {
    let by = |address: IpAddr| match address {
        IpAddr::V4(v4) => IpAddr::V4(u32::from(v4).wrapping_add(blocks << 8).into()),
        v6 @ IpAddr::V6(_) => v6,
    };
    let step = |packet: &Packet| {
        packet
            .with_destination(by(packet.destination()))
            .with_source(by(packet.source()))
            .with_time(packet.time().map(|time| time.plus_nanoseconds(nanoseconds)))
    };
    packets.iter().map(step).collect()
}

/// Names of a window and of its facets.
fn names(fingerprint: &Fingerprint) -> Vec<(String, String, String)> {
    std::iter::once(&fingerprint.whole)
        .chain(&fingerprint.facets)
        .map(|facet| {
            let canonical = |behavior: &inga::behavior::Behavior| behavior.canonical.clone();
            (canonical(&facet.names.behavior), canonical(&facet.names.shape), canonical(&facet.names.pattern))
        })
        .collect()
}

proptest! {
    #[test]
    fn numbered_types_have_the_names_that_windows_have(packets in capture()) {
        let space = AddressSpace::whole();
        let mut types = Types::new(Profile::default(), space.clone());
        let mut numbered = Vec::new();
        let all = windows(&packets);
        for _ in 0..2 {
            for window in &all {
                let print = fingerprint(window, &space, &Profile::default());
                let number = types.of_window(window);
                numbered.push((number, print.whole.names.behavior));
                let mut facets = print.facets.into_iter();
                types.of_facets(window, &mut |number, _, _| {
                    numbered.push((number, facets.next().unwrap().names.behavior));
                });
                prop_assert!(facets.next().is_none());
            }
        }
        let list = types.into_list();
        let names: Vec<_> = list.iter().map(|parameters| list.names(&parameters).behavior).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().map(|behavior| behavior.id).collect();
        prop_assert_eq!(distinct.len(), names.len());
        for (number, behavior) in numbered {
            prop_assert_eq!(&names[number as usize], &behavior);
        }
    }

    #[test]
    fn cutting_a_capture_anywhere_changes_nothing(packets in capture(), cuts in prop::collection::vec(0..120usize, 0..4)) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(packets.len())).collect();
        cuts.extend([0, packets.len()]);
        cuts.sort_unstable();
        let mut closed = Vec::new();
        let (mut open, mut clock) = (Vec::new(), None);
        for piece in cuts.windows(2) {
            let mut engine = Engine::resume(Profile::default(), open, clock);
            feed(&mut engine, &packets[piece[0]..piece[1]], &mut closed);
            clock = engine.clock();
            open = engine.take_open();
        }
        closed.extend(open);
        let space = AddressSpace::whole();
        prop_assert_eq!(fingerprints(closed, &space), fingerprints(windows(&packets), &space));
    }

    #[test]
    fn the_order_of_different_hosts_packets_does_not_matter(packets in capture()) {
        // Host by host, as a capture that was merged without regard to time; reading whole puts it in order.
        let mut by_host = packets.clone();
        by_host.sort_by_key(|packet| packet.source());
        sort_by_time(&mut by_host);
        let space = AddressSpace::whole();
        prop_assert_eq!(fingerprints(windows(&by_host), &space), fingerprints(windows(&packets), &space));
    }

    #[test]
    fn moving_all_addresses_or_times_leaves_names_alone(
        packets in capture(),
        blocks in 0..60_000u32,
        seconds in -1_000_000_000i64..1_000_000_000,
    ) {
        let elsewhere = moved(&packets, blocks, seconds * 1_000_000_000);
        let space = AddressSpace::whole();
        let names_of = |packets: &[Packet]| -> Vec<_> {
            // Windows in the order in which they open: addresses have moved.
            let mut all = windows(packets);
            all.sort_by_key(|window| (window.start, window.probes.get(0).map(|probe| probe.source_port())));
            all.iter().map(|window| names(&fingerprint(window, &space, &Profile::default()))).collect()
        };
        let mut here: Vec<Vec<_>> = names_of(&packets);
        let mut there: Vec<Vec<_>> = names_of(&elsewhere);
        here.sort();
        there.sort();
        prop_assert_eq!(here, there);
    }

    #[test]
    fn a_sensor_moved_with_its_packets_names_them_alike(packets in capture(), blocks in 0..200u32) {
        let sensor = |third: u32| {
            let octets = (u32::from(std::net::Ipv4Addr::new(10, 1, 0, 0)) + (third << 8)).to_be_bytes();
            let prefix = |address: [u8; 4]| ipnet::IpNet::new(address.into(), 22).unwrap();
            let hole = [octets[0], octets[1], octets[2] + 1, 0];
            AddressSpace::new(&[prefix(octets)], &[ipnet::IpNet::new(hole.into(), 25).unwrap()])
        };
        // Prefixes must begin at a multiple of their size.
        let blocks = blocks / 4 * 4;
        let in_space = |packets: Vec<Packet>, space: &AddressSpace| -> Vec<_> {
            let dark: Vec<Packet> = packets.into_iter().filter(|packet| space.contains(packet.destination())).collect();
            fingerprints(windows(&dark), space).iter().map(names).collect()
        };
        let here = in_space(packets.clone(), &sensor(0));
        let there = in_space(moved(&packets, blocks, 0), &sensor(blocks));
        prop_assert_eq!(here, there);
    }
}
