//! Packets as text and as JSON, one per line. The JSON field names are stable.

use std::io::{self, Write};

use serde::Serialize;

use crate::packet::{Clock, Packet, Timestamp};
use crate::sample::PacketClass;

use super::answer::Answer;

/// The JSON of one packet.
#[derive(Serialize)]
struct PacketJson {
    time: Option<Timestamp>,
    /// Seconds since the log's unknown midnight or its first packet; only if its times have no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    source: String,
    destination: String,
    protocol: String,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    flags: Option<String>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    class: Option<PacketClass>,
}

/// Returns the letters of the TCP flags, an empty text if no flag is set, or `None` if the packet has no
/// flags.
fn flag_letters(packet: &Packet) -> Option<String> {
    packet.flags().map(|flags| if flags.0 == 0 { String::new() } else { flags.to_string() })
}

/// A packet of a capture.
pub struct PacketAnswer<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// How the capture's clock counts.
    pub clock: Clock,
    /// What the packet is in a sandbox run; `None` without a victim.
    pub class: Option<PacketClass>,
}

impl Answer for PacketAnswer<'_> {
    /// Writes a packet as one line of JSON.
    fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let PacketAnswer { packet, clock, .. } = *self;
        let relative = clock == Clock::Relative;
        let event = PacketJson {
            time: packet.time().filter(|_| !relative),
            seconds: packet.time().filter(|_| relative).map(|time| time.seconds_since(Timestamp(0))),
            source: packet.source().to_string(),
            destination: packet.destination().to_string(),
            protocol: packet.protocol().to_string(),
            source_port: packet.source_port(),
            destination_port: packet.destination_port(),
            flags: flag_letters(packet),
            icmp_type: packet.icmp().map(|icmp| icmp.kind),
            icmp_code: packet.icmp().and_then(|icmp| icmp.code),
            class: self.class.clone(),
        };
        crate::escape::json_line(out, &event)
    }

    /// Writes a packet as one line of text.
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let PacketAnswer { packet, clock, .. } = *self;
        let time = match (packet.time(), clock) {
            (None, _) => "-".to_owned(),
            (Some(time), Clock::Relative) => format!("+{:.6}", time.seconds_since(Timestamp(0))),
            (Some(time), _) => time.to_string(),
        };
        let end = |address: std::net::IpAddr, port: Option<u16>| match port {
            Some(port) => std::net::SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        let source = end(packet.source(), packet.source_port());
        let destination = end(packet.destination(), packet.destination_port());
        let flags = packet.flags().map_or_else(String::new, |flags| format!(" {flags}"));
        let icmp = packet.icmp().map_or_else(String::new, |icmp| format!(" {}", icmp.kind));
        let class = match &self.class {
            None => String::new(),
            Some(PacketClass::Scan) => "  scan".to_owned(),
            Some(PacketClass::Access(reason)) => format!("  access {reason}"),
        };
        writeln!(out, "{time} {}{flags}{icmp} {source} > {destination}{class}", packet.protocol())
    }
}
