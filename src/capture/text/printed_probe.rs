//! The fields of probes that tcpdump prints: TCP options, lengths of payloads, identifiers of echo requests.

use memchr::memmem;

use crate::packet::{Packet, PayloadDigest, ProbeHeader, ProbeKind, Protocol, TcpFlags, TcpOptions};

use super::printed_header::{PrintedHeader, leading_number, without_brackets};

/// Words of tcpdump for options, and the names of [`TcpOptions`].
const WORDS: [(&[u8], &str); 14] = [
    (b"mss", "mss"),
    (b"nop", "nop"),
    (b"sackOK", "sok"),
    (b"TS", "ts"),
    (b"wscale", "ws"),
    (b"eol", "eol"),
    (b"timestamp", "ts"),
    (b"sack", "sack"),
    (b"md5", "md5"),
    (b"tfo", "tfo"),
    (b"mptcp", "mptcp"),
    (b"uto", "uto"),
    (b"exp-tfo", "exp"),
    (b"exp", "exp"),
];

/// Sets the fields of a probe, if the packet is one. `body` is the text after the addresses.
pub(super) fn set(packet: &mut Packet, body: &[u8], header: PrintedHeader) {
    let body = if body.first() == Some(&b'[') { without_brackets(body) } else { body };
    let probe = match packet.protocol() {
        Protocol::Tcp if packet.flags().is_some_and(TcpFlags::opens) => {
            let probe = ProbeHeader::new(ProbeKind::Syn);
            options(body).map_or(probe, |options| probe.with_options(options))
        }
        Protocol::Udp => {
            let length = body.strip_prefix(b"UDP, length ").or(body.strip_prefix(b"udp "));
            with_length(ProbeHeader::new(ProbeKind::Datagram), length.and_then(leading_number))
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            match packet.icmp().and_then(|icmp| ProbeKind::of_icmp(icmp.kind)) {
                Some(kind) => request(packet, kind, body),
                None => return,
            }
        }
        _ => return,
    };
    *packet = packet.with_probe(probe.with_dont_fragment(header.dont_fragment));
}

/// Parses identifier, sequence number and length of `ICMP echo request, id 1, seq 0, length 8`.
fn request(packet: &mut Packet, kind: ProbeKind, body: &[u8]) -> ProbeHeader {
    /// Length of the header of a request, which tcpdump counts.
    const HEADER: u64 = 8;
    let after =
        |word: &[u8]| memmem::find(body, word).and_then(|at| leading_number(&body[at + word.len()..]));
    let half = |word: &[u8]| after(word).and_then(|number| u16::try_from(number).ok());
    if let (Some(id), Some(number)) = (half(b" id "), half(b" seq ")) {
        *packet = packet.with_sequence(Some(u32::from(id) << 16 | u32::from(number)));
    }
    with_length(ProbeHeader::new(kind), after(b", length ").and_then(|length| length.checked_sub(HEADER)))
}

fn with_length(probe: ProbeHeader, length: Option<u64>) -> ProbeHeader {
    match length.and_then(|length| u16::try_from(length).ok()) {
        Some(length) => probe.with_payload(PayloadDigest { length, hash: None }),
        None => probe,
    }
}

/// Returns the options of a SYN; `None` if the line ends before them. They follow the window: `options [mss 1460]`,
/// or `<mss 1460>` before tcpdump 4.0.
fn options(body: &[u8]) -> Option<TcpOptions> {
    let behind = &body[memmem::find(body, b"win ")?..];
    if memmem::find(behind, b"[|tcp]").is_some() {
        return None;
    }
    let text = match memmem::find(behind, b"options [") {
        Some(at) => until(&behind[at + 9..], b']'),
        None => memchr::memchr(b'<', behind).map_or(b"".as_slice(), |at| until(&behind[at + 1..], b'>')),
    };
    let mut options = TcpOptions::NONE;
    for option in text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|option| !option.is_empty())
    {
        let (word, number) = match option.iter().position(|byte| b" [".contains(byte)) {
            Some(end) => (&option[..end], leading_number(&option[end + 1..])),
            None => (option, None),
        };
        let name = WORDS.iter().find(|(known, _)| *known == word).map_or("other", |(_, name)| *name);
        options = options.with_named(name)?;
        match (name, number) {
            ("mss", Some(mss)) => options = options.with_mss(u16::try_from(mss).ok()?),
            ("ws", Some(scale)) => options = options.with_window_scale(u8::try_from(scale).ok()?),
            _ => {}
        }
    }
    Some(options)
}

/// Returns the text before a byte.
fn until(text: &[u8], end: u8) -> &[u8] {
    &text[..memchr::memchr(end, text).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_all_ages_are_read() {
        let check = |body: &str, expected: &str, values: (Option<u16>, Option<u8>)| {
            let options = options(body.as_bytes()).unwrap();
            assert_eq!(
                (options.to_string().as_str(), options.mss(), options.window_scale()),
                (expected, values.0, values.1)
            );
        };
        check(
            "Flags [S], seq 7, win 64240, options [mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7], length 0",
            "mss,sok,ts,nop,ws",
            (Some(1460), Some(7)),
        );
        check("S 1:1(0) win 16384 <mss 1460,nop,nop,sackOK> (DF)", "mss,nop,nop,sok", (Some(1460), None));
        check(
            "S 1:1(0) win 9 <mss 1400,nop,wscale 2,timestamp 7 0,eol>",
            "mss,nop,ws,ts,eol",
            (Some(1400), Some(2)),
        );
        check("Flags [S], seq 7, win 1024, length 0", "", (None, None));
        check("Flags [S], seq 7, win 1024, options [unknown-76 0x0101,nop]", "other,nop", (None, None));
        assert_eq!(options(b"S 1:1(0) win 9 <[|tcp]> (DF)"), None);
        assert_eq!(options(b"S"), None);
    }
}
