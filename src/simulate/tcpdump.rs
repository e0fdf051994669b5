//! Writes a sandbox run as tcpdump prints it, in the style of several versions.

use std::fmt::Write;

use jiff::tz::TimeZone;

use crate::packet::{Packet, Protocol, TcpFlags};

use super::sample_plan::LogFormat;
use super::sandbox::SandboxPacket;

/// Returns the lines of a run. Every packet that is neither TCP nor UDP is written as an ICMP echo request,
/// since simulated runs contain no other protocol.
pub(super) fn log(run: &[SandboxPacket], format: LogFormat) -> String {
    run.iter().fold(String::new(), |mut out, sent| {
        line(&mut out, sent, format);
        out
    })
}

fn line(out: &mut String, sent: &SandboxPacket, format: LogFormat) {
    let SandboxPacket { packet, payload, has_options: options } = sent;
    let instant = packet.time().unwrap_or_default().0;
    let instant = jiff::Timestamp::from_nanosecond(i128::from(instant)).unwrap_or_default();
    let local = instant.to_zoned(TimeZone::UTC);
    let time = match format {
        LogFormat::Tcpdump3 => local.strftime("%H:%M:%S%.6f ").to_string(),
        LogFormat::Tcpdump4 => local.strftime("%Y-%m-%d %H:%M:%S%.6f ").to_string(),
        LogFormat::Figure8 | LogFormat::Pcap => String::new(),
    };
    let end = |address: std::net::IpAddr, port: Option<u16>| match port {
        Some(port) => format!("{address}.{port}"),
        None => address.to_string(),
    };
    let from = end(packet.source(), packet.source_port());
    let to = end(packet.destination(), packet.destination_port());
    let rest = match (packet.protocol(), format) {
        (Protocol::Tcp, LogFormat::Figure8) => flags(packet),
        (Protocol::Tcp, LogFormat::Tcpdump4) => tcp_4(packet, payload.len(), *options),
        (Protocol::Tcp, _) => tcp_3(packet, payload.len(), *options),
        (Protocol::Udp, _) => format!("UDP, length {}", payload.len()),
        _ => "ICMP echo request, id 512, seq 0, length 40".to_owned(),
    };
    let _infallible = writeln!(out, "{time}IP {from} > {to}: {rest}");
}

/// Returns the TCP flags as tcpdump 3 prints them: a letter for each of SYN, FIN, PSH and RST, or a dot if
/// none is set.
fn flags(packet: &Packet) -> String {
    let flags = packet.flags().unwrap_or_default();
    let letters = [(TcpFlags::SYN, 'S'), (TcpFlags::FIN, 'F'), (TcpFlags::PSH, 'P'), (TcpFlags::RST, 'R')];
    let text: String =
        letters.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| *letter).collect();
    if text.is_empty() { ".".to_owned() } else { text }
}

fn tcp_3(packet: &Packet, length: usize, options: bool) -> String {
    let sequence = packet.sequence().unwrap_or(0);
    let end = sequence.wrapping_add(u32::try_from(length).unwrap_or(0));
    let acknowledged = packet.flags().is_some_and(|flags| flags.contains(TcpFlags::ACK));
    let ack = if acknowledged { format!(" ack {}", sequence.rotate_left(13) | 1) } else { String::new() };
    let options = if options { " <mss 1460,nop,nop,sackOK>" } else { "" };
    let window = packet.tcp_window().unwrap_or(65_535);
    format!("{} {sequence}:{end}({length}){ack} win {window}{options}", flags(packet))
}

fn tcp_4(packet: &Packet, length: usize, options: bool) -> String {
    let sequence = packet.sequence().unwrap_or(0);
    let acknowledged = packet.flags().is_some_and(|flags| flags.contains(TcpFlags::ACK));
    let (dot, ack) = match acknowledged {
        true => (".", format!(", ack {}", sequence.rotate_left(13) | 1)),
        false => ("", String::new()),
    };
    let letters = flags(packet);
    let letters = if letters == "." { String::new() } else { letters };
    let seq = match length {
        0 => format!(", seq {sequence}"),
        _ => format!(", seq {sequence}:{}", sequence.wrapping_add(u32::try_from(length).unwrap_or(0))),
    };
    let options = if options { ", options [mss 1460,nop,nop,sackOK]" } else { "" };
    let window = packet.tcp_window().unwrap_or(65_535);
    format!("Flags [{letters}{dot}]{seq}{ack}, win {window}{options}, length {length}")
}
