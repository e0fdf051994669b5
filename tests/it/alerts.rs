//! Alerts of `inga watch`: each thing once, by every kind of receiver, kept while a receiver is away; and metrics.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use inga::rules::Rules;
use inga::store::{AlertStore, LocalStore};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::make::packets::{Pcap, RAW_IP, tcp};

/// 2020-01-01 00:00:00 UTC in microseconds.
const START: u64 = 1_577_836_800_000_000;

/// A folder with a history, and a capture in which an own host knocks at a dark address.
struct Telescope {
    folder: TempDir,
}

impl Telescope {
    fn new() -> Telescope {
        let telescope = Telescope { folder: TempDir::new().unwrap() };
        let history = telescope.at("history");
        let added = inga(&["sensor", "add", "s", "--prefix", "203.0.113.0/24", "--history", arg(&history)]);
        assert_eq!(added.code, 0, "{}", added.stderr);
        fs::create_dir(telescope.at("in")).unwrap();
        telescope.knock("a", 0, &[17, 17, 99]);
        telescope
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a capture of packets from hosts of 192.0.2.0/24, which begins at a second.
    fn knock(&self, name: &str, second: u64, hosts: &[u8]) {
        let mut pcap = Pcap::new(RAW_IP);
        for (at, host) in (second..).zip(hosts) {
            let packet = tcp(([192, 0, 2, *host].into(), 4000), ([203, 0, 113, 7].into(), 445), "S", 1, b"");
            pcap.add(START + at * 1_000_000, packet);
        }
        fs::write(self.at(&format!("in/{name}.pcap")), pcap.bytes()).unwrap();
    }

    /// Passes once with a receiver. One of the two hosts is in the own network.
    fn pass(&self, receiver: &str) -> String {
        let text = format!(
            "history: history\nsensors:\n  - {{name: s, captures: in}}\nown_networks:\n  - {{prefix: 192.0.2.16/28, \
             name: HQ}}\nalerts:\n  receivers:\n    - {receiver}\n"
        );
        fs::write(self.at("watch.yaml"), text).unwrap();
        let metrics = self.at("metrics.prom");
        let called = inga(&["watch", "--once", "--metrics", arg(&metrics), arg(&self.at("watch.yaml"))]);
        assert_eq!(called.code, 0, "{}", called.stderr);
        called.stderr
    }

    fn store(&self) -> LocalStore {
        LocalStore::open_to_read(&self.at("history"), &Rules::shipped().unwrap().profile).unwrap()
    }
}

/// The kinds of the alerts in a body, which is a line of JSON.
fn kinds(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(body["summary"].as_str().unwrap().starts_with("2 alerts"), "{body}");
    let alerts = body["alerts"].as_array().unwrap();
    alerts.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_thing_is_reported_once_and_own_networks_are_named() {
    let telescope = Telescope::new();
    let told = telescope.at("told");
    let receiver = format!("{{name: file, exec: [sh, -c, 'cat >> {}']}}", told.display());
    telescope.pass(&receiver);
    telescope.pass(&receiver);
    let lines = fs::read_to_string(&told).unwrap();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert_eq!(kinds(&lines), ["own-network", "sensor-silent"]);
    let body: Value = serde_json::from_str(&lines).unwrap();
    let own = &body["alerts"][0];
    assert_eq!(
        (&own["host"], &own["network"], &own["sensor"]),
        (&"192.0.2.17".into(), &"HQ".into(), &"s".into())
    );
    let message = own["message"].as_str().unwrap();
    assert!(
        message.starts_with("192.0.2.17 (HQ) in the dark space of sensor s on 2020-01-01: 445/tcp, scans")
    );
    // The same host again is the same thing; another host, and another silence, are others.
    telescope.knock("b", 3600, &[17, 17, 18, 18]);
    telescope.pass(&receiver);
    let lines = fs::read_to_string(&told).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(!lines.lines().last().unwrap().contains("192.0.2.17 "), "{lines}");
    assert_eq!(kinds(lines.lines().last().unwrap()), ["own-network", "sensor-silent"]);

    let metrics = fs::read_to_string(telescope.at("metrics.prom")).unwrap();
    for line in [
        "inga_packets_total{sensor=\"s\"} 7",
        "inga_sensor_condition{sensor=\"s\",condition=\"silent\"} 1",
        "inga_open_windows{sensor=\"s\"} 2",
        "inga_alerts_waiting 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
    let segments =
        metrics.lines().find_map(|line| line.strip_prefix("inga_segments{sensor=\"s\"} ")).unwrap();
    assert!(segments.parse::<u64>().unwrap() >= 3, "{metrics}");
}

#[test]
fn what_is_muted_is_raised_and_never_sent() {
    let telescope = Telescope::new();
    let told = telescope.at("told");
    let receiver = format!("{{name: file, exec: [sh, -c, 'cat >> {}']}}", told.display());
    let log =
        telescope.pass(&format!("{receiver}\n  mutes:\n    - {{kind: sensor-silent, until: 2999-01-01}}"));
    assert!(log.contains("muted alert: sensor s is silent"), "{log}");
    // The silence lasts, and nothing is muted any more.
    telescope.pass(&receiver);
    let lines = fs::read_to_string(&told).unwrap();
    assert_eq!((lines.lines().count(), lines.contains("silent")), (1, false), "{lines}");
}

#[test]
fn what_cannot_be_sent_is_kept() {
    let telescope = Telescope::new();
    let log = telescope.pass("{name: away, exec: ['false']}");
    assert!(log.contains("receiver away") && log.contains("tried again at"), "{log}");
    telescope.pass("{name: away, exec: ['false']}");
    let waiting = telescope.store().deliveries().unwrap();
    assert_eq!((waiting.len(), waiting[0].attempts, waiting[0].alerts.len()), (1, 1, 2));
    // Whoever is not named any more is not waited for.
    telescope.pass("{name: other, exec: ['true']}");
    assert_eq!(telescope.store().deliveries().unwrap(), []);
}

#[test]
fn a_web_hook_gets_signed_json_and_syslog_gets_a_line_for_each() {
    let telescope = Telescope::new();
    fs::write(telescope.at("secret"), "key\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut signature, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("x-inga-signature") => {
                    value.clone_into(&mut signature)
                }
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap()
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
        (signature, body)
    });
    telescope.pass(&format!("{{name: hook, webhook: 'http://127.0.0.1:{port}/', secret_file: secret}}"));
    let (signature, body) = server.join().unwrap();
    assert_eq!(kinds(str::from_utf8(&body).unwrap()), ["own-network", "sensor-silent"]);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    mac.update(&body);
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, format!("sha256={expected}"));
    assert_eq!(telescope.store().deliveries().unwrap(), []);

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    telescope.knock("b", 3600, &[20]);
    telescope.pass(&format!("{{name: log, syslog: '{}'}}", socket.local_addr().unwrap()));
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let line = str::from_utf8(&buffer[..length]).unwrap();
    assert!(line.starts_with("<132>1 ") && line.contains(" own-network [inga@32473 "), "{line}");
    assert!(line.contains("host=\"192.0.2.20\"") && line.contains("network=\"HQ\""), "{line}");

    telescope.knock("c", 7200, &[21]);
    let address = socket.local_addr().unwrap();
    telescope.pass(&format!("{{name: siem, syslog: '{address}', syslog_format: cef}}"));
    let mut own = String::new();
    // The silence of before is reported by a line of its own.
    while !own.contains("192.0.2.21") {
        let length = socket.recv(&mut buffer).unwrap();
        str::from_utf8(&buffer[..length]).unwrap().clone_into(&mut own);
    }
    assert!(own.contains("] CEF:0|inga|inga|") && own.contains("|own-network|own-network|8|rt="), "{own}");
    assert!(
        own.contains(" src=192.0.2.21 cs1Label=sensor cs1=s cs2Label=network cs2=HQ msg=192.0.2.21 (HQ)"),
        "{own}"
    );
}
