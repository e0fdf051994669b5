//! Tests of the pooling of runs.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::behavior::Profile;
use crate::packet::{Packet, Protocol, TcpFlags, Timestamp};
use crate::sample::{ResolvedAddresses, SampleProfile, SplitMix64, Traffic};

const SECOND: i64 = 1_000_000_000;

/// A scan of random or successive addresses, with new source ports for each target.
fn scan(targets: u32, port: u16, retries: &[i64], is_sequential: bool, seed: u64) -> Scan {
    let mut random = SplitMix64::from_name("pooling", seed);
    let victim = IpAddr::V4(Ipv4Addr::new(192, 168, 20, 21));
    let mut packets = Vec::new();
    for at in 0..targets {
        let anywhere = u32::try_from(random.below(1 << 31)).unwrap() + (1 << 30);
        let address = if is_sequential { 0x0b00_0000 + at } else { anywhere };
        for retry in std::iter::once(&0).chain(retries) {
            let time = Timestamp((i64::from(at) + retry) * SECOND);
            let packet = Packet::new(victim, IpAddr::V4(address.into()), Protocol::Tcp);
            let packet = packet.with_source_port(Some(1_100 + u16::try_from(at).unwrap()));
            packets.push(
                packet
                    .with_destination_port(Some(port))
                    .with_flags(Some(TcpFlags::SYN))
                    .with_time(Some(time)),
            );
        }
    }
    packets.sort_by_key(|packet| packet.time());
    let (names, nothing) = (ResolvedAddresses::new(), |_: &Packet| None);
    let victims = [victim];
    let traffic = Traffic::from_packets(&packets, &victims, &[], &names, &nothing);
    Scan::infer(&SampleProfile::from_packets("x", &packets, &[], &traffic, &Profile::default())).unwrap()
}

fn runs(variants: &[PooledScan]) -> Vec<Vec<usize>> {
    variants.iter().map(|variant| variant.runs.clone()).collect()
}

#[test]
fn fisher_agrees_with_published_values() {
    // Fisher's tea: 3 of 4 cups named rightly; and Lady Bristol's case of all four.
    assert!((fisher([3.0, 1.0], [1.0, 3.0]) - 0.485_714).abs() < 1e-5);
    assert!((fisher([4.0, 0.0], [0.0, 4.0]) - 0.028_571).abs() < 1e-5);
    // Fisher's twins: 10 of 13 monozygotic and 2 of 17 dizygotic twins of convicts.
    assert!((fisher([10.0, 3.0], [2.0, 15.0]) - 0.000_536).abs() < 1e-5);
    assert!((fisher([0.0, 0.0], [1.0, 3.0]) - 1.0).abs() < 1e-9);
}

#[test]
fn equal_scans_are_pooled_and_their_targets_add_up() {
    let scans = [
        scan(60, 445, &[3, 9], false, 1),
        scan(40, 445, &[3, 9], false, 2),
        scan(80, 445, &[3, 9], false, 3),
    ];
    let variants = pool_scans(&scans);
    assert_eq!(runs(&variants), [[0, 1, 2]]);
    let pooled = &variants[0].scan;
    assert_eq!(pooled.targets, scans.iter().map(|scan| scan.targets).sum::<u64>());
    assert_eq!(pooled.scripts.len(), scans.iter().map(|scan| scan.scripts.len()).sum::<usize>());
    assert!((pooled.attempts.shares.values().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!((pooled.services.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    let rates: Vec<f64> = scans.iter().filter_map(|scan| scan.targets_per_second).collect();
    let rate = pooled.targets_per_second.unwrap();
    assert!(
        rates.iter().any(|one| *one <= rate) && rates.iter().any(|one| *one >= rate),
        "{rate} of {rates:?}"
    );
    assert_eq!(pool_scans(&scans[..1])[0].scan, scans[0]);
    assert_eq!(pool_scans(&[]), Vec::new());
}

#[test]
fn scans_that_differ_are_variants_and_the_difference_is_named() {
    let base = scan(80, 445, &[3, 9], false, 1);
    for (other, words) in [
        (scan(60, 23, &[3, 9], false, 2), "service 23/TCP:S: 100 % of targets instead of 0 %"),
        (scan(60, 445, &[], false, 2), "1 packets to a target"),
        (scan(60, 445, &[3, 9], true, 2), "one after the other"),
        (Scan { source_ports: SourcePorts::One, ..scan(60, 445, &[3, 9], false, 2) }, "one source port"),
    ] {
        let variants = pool_scans(&[other, base.clone()]);
        assert_eq!(runs(&variants), [[1], [0]], "{words}");
        assert_eq!(variants[0].differences, Vec::<String>::new());
        let differences = &variants[1].differences;
        assert!(differences.iter().any(|difference| difference.contains(words)), "{words}: {differences:?}");
    }
}

#[test]
fn a_few_targets_prove_no_difference() {
    let few = scan(5, 445, &[3, 9], false, 2);
    let service = few.services[0].0;
    let other = SampleService { port: ServicePort::Fixed(139), ..service };
    let few = Scan { services: vec![(service, 0.8), (other, 0.2)], ..few };
    let variants = pool_scans(&[few, scan(80, 445, &[3, 9], false, 1)]);
    assert_eq!(runs(&variants), [[0, 1]]);
    let (second, share) = variants[0].scan.services[1];
    assert_eq!(second, other);
    assert!((share - 1.0 / 85.0).abs() < 1e-9, "{share}");
}

#[test]
fn runs_that_do_not_show_retries_do_not_count_for_them() {
    let unknown = |mut scan: Scan| {
        scan.attempts.unknown = Some("every target answered in the sandbox");
        scan
    };
    let cut = unknown(scan(60, 445, &[], false, 2));
    let variants = pool_scans(&[cut.clone(), scan(50, 445, &[3, 9], false, 1)]);
    assert_eq!(runs(&variants), [[0, 1]]);
    assert_eq!(
        (variants[0].scan.attempts.unknown, variants[0].scan.attempts.shares.contains_key(&1)),
        (None, false)
    );
    assert!(pool_scans(&[cut.clone(), cut])[0].scan.attempts.unknown.is_some());
}

/// Of random samples from one distribution, fewer than one in a hundred differ.
#[test]
fn scans_of_one_kind_are_seldom_taken_as_different() {
    let mut random = SplitMix64::from_name("pooling", 7);
    let base = scan(100, 445, &[3, 9], false, 1);
    let other = base.services[0].0;
    let mut draw = || {
        let share = (0..100).filter(|_| random.below(10) < 3).count() as f64 / 100.0;
        let second = SampleService { port: ServicePort::Fixed(139), ..other };
        Scan { services: vec![(other, 1.0 - share), (second, share)], ..base.clone() }
    };
    let splits = (0..300).filter(|_| pool_scans(&[draw(), draw(), draw()]).len() > 1).count();
    assert!(splits <= 3, "{splits} of 300");
}
