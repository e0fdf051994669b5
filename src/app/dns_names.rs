//! Addresses of the names that a sandboxed sample looked up, out of the DNS answers in its run.

use std::net::IpAddr;

use crate::packet::{Packet, Protocol};
use crate::sample::ResolvedAddresses;

/// Maximum number of addresses from DNS answers that are kept per run, 17 bytes each. A run looks up a few
/// hundred names, but a single answer of 64 KiB can bring 4,000 addresses.
const NAMES_MAX: usize = 1 << 20;

/// Adds the addresses that a DNS answer contains to `names`.
pub fn collect_names(packet: &Packet, payload: &[u8], names: &mut ResolvedAddresses) {
    const DNS: u16 = 53;
    if packet.protocol() != Protocol::Udp || packet.source_port() != Some(DNS) || names.len() >= NAMES_MAX {
        return;
    }
    if has_impossible_counts(payload) {
        return;
    }
    let Ok(answer) = simple_dns::Packet::parse(payload) else { return };
    for record in &answer.answers {
        match &record.rdata {
            simple_dns::rdata::RData::A(a) => {
                names.insert(IpAddr::V4(a.address.into()));
            }
            simple_dns::rdata::RData::AAAA(aaaa) => {
                names.insert(IpAddr::V6(aaaa.address.into()));
            }
            _ => {}
        }
    }
}

/// Returns whether a DNS message announces more questions and records than its bytes can hold (RFC 1035,
/// section 4.1: a question takes at least 5 bytes, a record 11). The parser allocates memory for all
/// announced records, up to megabytes per packet.
fn has_impossible_counts(message: &[u8]) -> bool {
    let Some((header, body)) = message.split_first_chunk::<12>() else { return true };
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    5 * count(4) + 11 * (count(6) + count(8) + count(10)) > body.len()
}
