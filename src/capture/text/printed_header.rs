//! The fields of the IP header, as `-v` prints them in parentheses.

use super::address::EndpointPair;

/// Fields that `-v` prints in parentheses. Since 4.0 those of an IPv4 packet are on a line of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PrintedHeader {
    pub(super) ttl: Option<u8>,
    pub(super) ip_id: Option<u16>,
    /// The IP protocol number.
    pub(super) protocol: Option<u8>,
    /// Whether the packet is a fragment other than the first.
    pub(super) later_fragment: bool,
    /// The "don't fragment" flag; `None` if the line does not show it.
    pub(super) dont_fragment: Option<bool>,
}

/// Parses the parentheses that `-v` prints on the packet's own line: before the addresses since 3.9 (for IPv6
/// in every version), at the end of the line in older versions.
pub(super) fn printed_header(pair: &EndpointPair<'_>) -> PrintedHeader {
    let header = parentheses(pair);
    PrintedHeader { dont_fragment: header.dont_fragment.or(flag_behind_body(pair.body)), ..header }
}

/// Returns `Some(true)` if `(DF)` stands alone behind a body, as tcpdump before 3.9 prints the "don't fragment" flag. Returns
/// `None` for a body without `(DF)`, because later versions print the flag with `-v` only.
pub(super) fn flag_behind_body(body: &[u8]) -> Option<bool> {
    memchr::memmem::find(body, b"(DF)").map(|_| true)
}

fn parentheses(pair: &EndpointPair<'_>) -> PrintedHeader {
    if pair.before.contains(&b'(') {
        return parse_header(pair.before);
    }
    // Only the last parenthesis can be that of the header. `(DF)` may precede it.
    let at = pair.body.iter().rposition(|byte| *byte == b'(');
    match at.map(|at| &pair.body[at + 1..]) {
        Some(text)
            if [b"ttl ".as_slice(), b"hlim ", b"tos ", b"id ", b"len "]
                .iter()
                .any(|word| text.starts_with(word)) =>
        {
            parse_header(text)
        }
        Some(text) if text.starts_with(b"frag ") => {
            // `(frag 242:8@16)` contains the identification, the length and the offset.
            let offset = text.iter().position(|byte| *byte == b'@').map(|at| &text[at + 1..]);
            let later_fragment =
                offset.is_some_and(|offset| !offset.starts_with(b"0)") && !offset.starts_with(b"0+)"));
            PrintedHeader { later_fragment, ..PrintedHeader::default() }
        }
        _ => PrintedHeader::default(),
    }
}

/// Returns whether a line is the first half of a packet: the address family and parentheses, but no
/// addresses.
pub(super) fn is_header(line: &[u8]) -> bool {
    [b"(tos ".as_slice(), b"(hlim ", b"(class ", b"(flowlabel "].iter().any(|word| find(line, word).is_some())
}

/// Parses the fields of an IP header in the parentheses of `-v`.
pub(super) fn parse_header(text: &[u8]) -> PrintedHeader {
    // Link headers before the parentheses may contain the same words (`length`, or an interface named `id`).
    let start = [b"(tos ".as_slice(), b"(hlim ", b"(class ", b"(flowlabel ", b"(ttl "]
        .iter()
        .filter_map(|word| find(text, word))
        .min()
        .unwrap_or(0);
    let text = &text[start..];
    let after = |word: &[u8]| find(text, word).map(|at| &text[at + word.len()..]);
    let number = |word: &[u8]| after(word).and_then(leading_number);
    let protocol = after(b"proto ").or(after(b"next-header "));
    let ttl = number(b"ttl ").or(number(b"hlim ")).and_then(|ttl| u8::try_from(ttl).ok());
    PrintedHeader {
        ttl,
        ip_id: number(b"id ").and_then(|id| u16::try_from(id).ok()),
        protocol: protocol.and_then(protocol_number),
        later_fragment: number(b"offset ").is_some_and(|offset| offset > 0),
        dont_fragment: after(b"flags [").map(|flags| find(&flags[..flags.len().min(3)], b"DF").is_some()),
    }
}

/// Parses `TCP (6)`, or the number alone as early versions of 3.9 printed it.
fn protocol_number(text: &[u8]) -> Option<u8> {
    let number = leading_number(text).or_else(|| {
        let open = text.iter().take(32).position(|byte| *byte == b'(')?;
        leading_number(&text[open + 1..])
    });
    u8::try_from(number?).ok()
}

/// Parses the decimal number at the beginning of a text.
pub(super) fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}

/// Returns the first offset at which a text contains another.
pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Skips the checksums in brackets at the beginning of a body: `[udp sum ok]`, `[tcp sum ok]`,
/// `[bad icmp6 cksum 1 -> 2!]`. `[|tcp]` is not one of them: it stands for a header that the snap length cut.
/// Skips the names of IPv6 extension headers as well.
pub(super) fn without_brackets(body: &[u8]) -> &[u8] {
    let mut rest = body;
    while rest.first() == Some(&b'[') && rest.get(1) != Some(&b'|') {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { break };
        rest = rest[end + 1..].trim_ascii_start();
    }
    // tcpdump prints the names of IPv6 extension headers before what follows them.
    while let Some(behind) = rest.strip_prefix(b"HBH ").or(rest.strip_prefix(b"DSTOPT ")) {
        rest = behind.trim_ascii_start();
    }
    rest
}
