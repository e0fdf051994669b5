//! The live page: what `inga observe` feeds comes as an event, the number of streams is bounded, and streams end with the
//! server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{arg, inga};
use crate::make::packets::{Pcap, RAW_IP, tcp};
use crate::page::{HISTORY, Served, copied_history};

/// 2020-03-12 00:00 UTC, after the end of the history.
const AFTER: u64 = 1_583_971_200_000_000;

/// An open stream of events, and what came of it.
struct EventStream {
    stream: TcpStream,
    text: String,
}

impl EventStream {
    fn open(served: &Served) -> EventStream {
        let mut stream = TcpStream::connect(&served.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let host = &served.address;
        stream.write_all(format!("GET /live/events HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).unwrap();
        EventStream { stream, text: String::new() }
    }

    /// Reads until the text has `part`, or the stream ends if `part` is empty.
    fn wait_for(&mut self, part: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut bytes = [0; 4096];
        while Instant::now() < end {
            if !part.is_empty() && self.text.contains(part) {
                return;
            }
            match self.stream.read(&mut bytes) {
                Ok(0) if part.is_empty() => return,
                Ok(0) => break,
                Ok(count) => self.text.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(_) => {}
            }
        }
        assert!(!part.is_empty() && self.text.contains(part), "`{part}` did not come: {}", self.text);
    }
}

#[test]
fn what_is_fed_comes_as_an_event() {
    let history = copied_history();
    let served = Served::new(history.path());
    // The types of services are indexed before there are new ones.
    assert!(served.get("/ports/60001/tcp").body.contains("did not see it"));
    let mut events = EventStream::open(&served);
    events.wait_for("event: live");
    assert!(events.text.contains("text/event-stream"), "{}", events.text);
    events.wait_for("2020");
    let mut capture = Pcap::new(RAW_IP);
    for number in 0..40u8 {
        let (from, to) = ([100, 64, 9, 9].into(), [198, 18, 7, number].into());
        capture.add(AFTER + u64::from(number) * 100_000, tcp((from, 4_000), (to, 60_001), "S", 1, b""));
    }
    // A packet a minute later closes the window.
    let (from, to) = ([100, 64, 9, 8].into(), [198, 18, 7, 1].into());
    capture.add(AFTER + 90_000_000, tcp((from, 4_000), (to, 23), "S", 1, b""));
    let file = history.path().join("new.pcap");
    std::fs::write(&file, capture.bytes()).unwrap();
    let fed = inga(&["observe", "--sensor", "north", "--history", arg(history.path()), arg(&file)]);
    assert_eq!(fed.code, 0, "{}", fed.stderr);
    events.wait_for("port 60001");
    assert!(served.get("/live").body.contains("port 60001"));
    assert!(served.get("/ports/60001/tcp").body.contains("/hosts/100.64.9.9"));
    assert!(served.get("/protocols/tcp").body.contains("TCP:S to port"));
}

#[test]
fn streams_are_bounded_and_end_with_the_server() {
    let mut served = Served::new(&HISTORY.1);
    let mut open: Vec<EventStream> = (0..64).map(|_| EventStream::open(&served)).collect();
    open.iter_mut().for_each(|events| events.wait_for("text/event-stream"));
    EventStream::open(&served).wait_for("503 Service Unavailable");
    assert_eq!(served.get("/live").status, 200, "the page is there without events");
    let process = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    let began = Instant::now();
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "it waited for streams: {:?}", began.elapsed());
    open[0].wait_for("");
}
