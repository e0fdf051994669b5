//! tcpdump's text against the captures that it was printed from.

use std::path::Path;

use inga::capture::text::TextOptions;
use inga::capture::{Input, ReadOptions, read};
use inga::packet::{Packet, Protocol};

use crate::corpora::corpora;

/// An ARP reply's text does not tell whom it answers, so the target of ARP packets is left out.
fn endpoints(packets: &[Packet]) -> Vec<String> {
    let port = |port: Option<u16>| port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    let to =
        |p: &Packet| if p.protocol() == Protocol::Arp { "?".to_owned() } else { p.destination().to_string() };
    packets
        .iter()
        .map(|p| format!("{} {} {} {}", p.source(), port(p.source_port()), to(p), port(p.destination_port())))
        .collect()
}

/// All packets in the file's own order.
fn packets(path: &Path, date: Option<&str>) -> Result<Vec<Packet>, String> {
    let text = TextOptions { date: date.map(|date| date.parse().unwrap()), ..TextOptions::default() };
    let options = ReadOptions { text, ..ReadOptions::default() };
    let mut packets = Vec::new();
    read(&Input::Path(path.to_owned()), &options, &mut |packet, _| packets.push(*packet))
        .map_err(|error| error.to_string())?;
    Ok(packets)
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn tcpdumps_own_tests_give_the_same_endpoints_from_text_and_capture() {
    let corpora = corpora();
    let folder = corpora.join("tcpdump-tests");
    let table = std::fs::read_to_string(folder.join("TESTS.tsv")).unwrap();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        if columns.get(19) != Some(&"yes") {
            if std::env::var_os("INGA_LIST").is_some() {
                compare(&folder, &columns, &mut wrong);
            }
            continue;
        }
        rows += 1;
        compare(&folder, &columns, &mut wrong);
    }
    assert_eq!(rows, 244);
    assert!(wrong.is_empty(), "{} of {rows} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn compare(folder: &Path, columns: &[&str], wrong: &mut Vec<String>) {
    let (label, pcap, out) = (columns[0], columns[1], columns[2]);
    let read =
        |name: &str| packets(&folder.join("tests").join(name), None).map(|packets| endpoints(&packets));
    let (text, capture) = (read(out), read(pcap));
    if text != capture {
        let first = match (&text, &capture) {
            (Ok(text), Ok(capture)) => {
                let at = text
                    .iter()
                    .zip(capture)
                    .position(|(a, b)| a != b)
                    .unwrap_or(text.len().min(capture.len()));
                format!("{}/{} at {at}: {:?} {:?}", text.len(), capture.len(), text.get(at), capture.get(at))
            }
            other => format!("{other:?}").chars().take(300).collect(),
        };
        wrong.push(format!(
            "{} {label} {} {}: {first}",
            columns.get(19).unwrap_or(&""),
            columns[3],
            columns[4]
        ));
    }
}

/// What of a packet its style of text prints, with the value from the text and from the capture.
fn differing(text: &Packet, capture: &Packet, dated: bool, letters_only: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut same = |what: &str, a: String, b: String| {
        if a != b {
            all.push(format!("{what} {a} {b}"));
        }
    };
    let flags =
        |packet: &Packet| packet.flags().map(|flags| if letters_only { flags.0 & 0x0f } else { flags.0 });
    same("source", text.source().to_string(), capture.source().to_string());
    same("protocol", text.protocol().to_string(), capture.protocol().to_string());
    same("source port", format!("{:?}", text.source_port()), format!("{:?}", capture.source_port()));
    same(
        "destination port",
        format!("{:?}", text.destination_port()),
        format!("{:?}", capture.destination_port()),
    );
    if text.protocol() != Protocol::Arp || !text.destination().is_unspecified() {
        same("destination", text.destination().to_string(), capture.destination().to_string());
    }
    if dated {
        // Text has microseconds; 4.0 cuts off the last digit of a negative difference.
        let close = text.time().unwrap().0.abs_diff(capture.time().unwrap().0) < 100_000;
        same("time", format!("{:?} {close}", text.time()), format!("{:?} true", text.time()));
    }
    let printed = [
        ("flags", flags(text).map(u32::from), flags(capture).map(u32::from)),
        ("icmp", text.icmp().map(|icmp| icmp.kind.into()), capture.icmp().map(|icmp| icmp.kind.into())),
        (
            "icmp code",
            text.icmp().and_then(|icmp| icmp.code).map(u32::from),
            capture.icmp().and_then(|icmp| icmp.code).map(u32::from),
        ),
        ("ttl", text.ttl().map(u32::from), capture.ttl().map(u32::from)),
        ("ip id", text.ip_id().map(u32::from), capture.ip_id().map(u32::from)),
        ("sequence", text.sequence(), capture.sequence()),
        ("window", text.tcp_window().map(u32::from), capture.tcp_window().map(u32::from)),
    ];
    for (what, a, b) in printed {
        if a.is_some() {
            same(what, format!("{a:?}"), format!("{b:?}"));
        }
    }
    let shown =
        |options: inga::packet::TcpOptions| (options.to_string(), options.mss(), options.window_scale());
    let options = |packet: &Packet| packet.probe().options().map(shown);
    if options(text).is_some() {
        same("options", format!("{:?}", options(text)), format!("{:?}", options(capture)));
    }
    let dont_fragment = |packet: &Packet| packet.probe().dont_fragment();
    if dont_fragment(text).is_some() {
        same("don't fragment", format!("{:?}", dont_fragment(text)), format!("{:?}", dont_fragment(capture)));
    }
    all
}

/// The packets of a capture that a version and style print with addresses.
fn printable(capture: &[Packet], text: &[Packet], style: &str) -> Vec<Packet> {
    let prints_v6 = text.iter().any(|packet| packet.source().is_ipv6());
    let prints_arp = text.iter().any(|packet| packet.protocol() == Protocol::Arp);
    let prints_tcp_only = style == "fig8";
    capture
        .iter()
        .filter(|packet| prints_v6 || packet.source().is_ipv4())
        .filter(|packet| prints_arp || packet.protocol() != Protocol::Arp)
        .filter(|packet| !prints_tcp_only || packet.protocol() == Protocol::Tcp)
        // Names stand for these in `names`.
        .filter(|packet| style != "names" || !packet.source().is_loopback())
        .copied()
        .collect()
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn every_version_and_style_of_text_says_what_the_capture_says() {
    let corpora = corpora();
    let folder = corpora.join("text-vs-pcap");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for version in ["3.7", "3.9.8", "4.0", "4.99.3", "seed_fig8"] {
        for entry in std::fs::read_dir(folder.join("text").join(version)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (capture, style) = name.split_once('.').unwrap_or((&name, "fig8"));
            let Ok(whole) = packets(&folder.join("pcap").join(format!("{capture}.pcap")), None) else {
                panic!("{capture}")
            };
            let day = whole[0].time().unwrap().to_string()[..10].to_owned();
            let text = packets(&path, Some(&day)).unwrap_or_default();
            let expected = printable(&whole, &text, style);
            // Logs in the other styles are of the first packets only.
            let whole_log = matches!(style, "n" | "t" | "tt" | "ttt" | "tttt" | "fig8");
            if text.len() > expected.len()
                || text.is_empty() && !expected.is_empty()
                || whole_log && text.len() < expected.len()
            {
                wrong.push(format!(
                    "{version} {name}: {} packets, {} in the capture",
                    text.len(),
                    expected.len()
                ));
                continue;
            }
            // A day passes in a log of many days without a date: only these styles carry the date.
            let dated = matches!(style, "tt" | "tttt")
                || (style != "fig8"
                    && style != "names"
                    && style != "t"
                    && style != "ttt"
                    && !capture.starts_with("srvloc"));
            for (at, (text, capture)) in text.iter().zip(&expected).enumerate() {
                compared += 1;
                let differing = differing(text, capture, dated, style == "fig8");
                if !differing.is_empty() {
                    wrong.push(format!("{version} {name} packet {at}: {differing:?}"));
                    break;
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} logs differ ({compared} packets compared):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 35_000, "{compared}");
}
