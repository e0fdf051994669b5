//! Real scans, with the figures that other tools give for them.

use serde_json::Value;

use crate::command::{arg, inga};
use crate::corpora::corpora;

fn fingerprints(capture: &str, more: &[&str]) -> Vec<Value> {
    let path = corpora().join(capture);
    inga(&[&["fingerprint", "--format", "json", arg(&path)], more].concat()).json()
}

fn numbers(windows: &[Value], key: &str) -> Vec<u64> {
    windows.iter().map(|window| window[key].as_u64().unwrap()).collect()
}

fn labels(windows: &[Value]) -> Vec<&str> {
    let all = windows.iter().flat_map(|window| window["labels"].as_array().unwrap());
    let facets = windows.iter().flat_map(|window| window["facets"].as_array().unwrap());
    let of_facets = facets.flat_map(|facet| facet["labels"].as_array().unwrap());
    all.chain(of_facets).map(|label| label.as_str().unwrap()).collect()
}

#[test]
fn figure_8_is_one_sequential_window_of_18() {
    let windows =
        inga(&["fingerprint", "--format", "json", "samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt"])
            .json();
    assert_eq!(windows.len(), 1);
    let window = &windows[0];
    for (key, value) in
        [("packets", 18), ("source_ports", 18), ("destinations", 18), ("destination_ports", 1)]
    {
        assert_eq!(window[key], value, "{key}");
    }
    assert_eq!(window["transition"], "sequential");
    assert_eq!(window["ports"], serde_json::json!([445]));
    assert_eq!(window["protocol"], "TCP:S");
    assert_eq!(window["time"], "synthetic");
    assert_eq!(window["start"], Value::Null);
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn probes_of_nine_hosts_out_of_order_are_nine_windows() {
    let windows = fingerprints("ncsa-simple-scan/445_scan.pcap", &[]);
    assert_eq!(numbers(&windows, "destinations"), [1; 9]);
    let mut packets = numbers(&windows, "packets");
    packets.sort_unstable();
    assert_eq!(packets, [1, 1, 1, 3, 3, 3, 3, 3, 3]);
    assert!(windows.iter().all(|window| window["transition"] == "single" && window["protocol"] == "TCP:S"));
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn a_bot_that_scans_four_ports_is_five_random_windows() {
    let capture = "stratosphere/test7-malicious.pcap";
    for victim in ["192.168.2.16", "auto"] {
        let windows = fingerprints(capture, &["--victim", victim]);
        assert_eq!(numbers(&windows, "packets"), [122, 142, 148, 148, 72], "{victim}");
        assert_eq!(numbers(&windows, "destinations"), [31, 42, 45, 45, 29]);
        assert!(
            windows.iter().all(|window| window["transition"] == "random" && window["protocol"] == "TCP:S")
        );
        let bots = |facet: &&Value| {
            [23, 8080, 2323, 9527].map(|port| serde_json::json!([port])).contains(&facet["ports"])
        };
        let facets = windows.iter().flat_map(|window| window["facets"].as_array().unwrap()).filter(bots);
        let shapes: Vec<&str> = facets.map(|facet| facet["shape_canonical"].as_str().unwrap()).collect();
        let five = shapes.iter().filter(|shape| shape.contains("|pd=5+|"));
        assert!(five.count() * 2 > shapes.len(), "mostly five packets a destination: {shapes:?}");
    }
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn sweeps_of_arp_and_icmp_are_sequential() {
    for (capture, protocol, label) in
        [("test8-malicious.pcap", "ARP", "arp-sweep"), ("test12-icmp-portscan.pcap", "ICMP", "ping-sweep")]
    {
        let path = format!("stratosphere/{capture}");
        let windows = fingerprints(&path, &["--victim", "auto"]);
        let largest = windows.iter().max_by_key(|window| window["destinations"].as_u64()).unwrap();
        assert_eq!(largest["protocol"], protocol, "{capture}");
        assert_eq!(largest["transition"], "sequential", "{capture}");
        assert!(labels(std::slice::from_ref(largest)).contains(&label), "{capture}");
    }
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn fan_out_that_is_no_scan_is_not_called_sequential() {
    let corpora = corpora();
    let ndpi = ["gnutella", "ethereum", "bittorrent_utp", "KakaoTalk_talk"];
    let mut captures: Vec<String> = std::fs::read_dir(corpora.join("ndpi"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| ndpi.iter().any(|stem| name.starts_with(stem)))
        .map(|name| format!("ndpi/{name}"))
        .collect();
    assert_eq!(captures.len(), ndpi.len(), "{captures:?}");
    captures.push("id2t/Win7_eternalblue_scan.pcap".to_owned());
    for capture in captures {
        for more in [&[][..], &["--victim", "auto"][..]] {
            let path = corpora.join(&capture);
            let called = inga(&[&["fingerprint", "--format", "json", arg(&path)], more].concat());
            if called.code != 0 && !more.is_empty() {
                // No host stands out as the victim, which is an answer too.
                assert!(called.stderr.contains("victim"), "{capture}: {}", called.stderr);
                continue;
            }
            let windows = called.json();
            assert!(!labels(&windows).contains(&"sequential-scan"), "{capture} {more:?}");
            assert!(
                windows
                    .iter()
                    .all(|window| window["transition"] != "sequential" || window["protocol"] == "ARP"),
                "{capture} {more:?}"
            );
        }
    }
}
