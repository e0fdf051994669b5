//! The fields in which the probes of different software differ, beyond those that every packet has.

use super::TcpOptions;

/// Number of payload bytes that a hash covers.
const HASHED_BYTES_MAX: usize = 64;
/// Number of bytes at the start of a longer payload that a hash leaves out, because DNS, NetBIOS and memcached have
/// a transaction number there, which changes with each probe.
const TRANSACTION_BYTES: usize = 2;
/// Length in bytes up to which a payload is hashed as a whole.
const SHORT_PAYLOAD: usize = 8;

/// The kinds of packets that begin a contact. Only these have a [`ProbeHeader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// A TCP packet with SYN and without ACK.
    Syn,
    /// A UDP packet.
    Datagram,
    /// A request of ICMP or ICMPv6: echo, timestamp, information or address mask.
    Request,
}

impl ProbeKind {
    /// Returns the kind of an ICMP or ICMPv6 message; `None` for answers and errors.
    #[inline]
    #[must_use]
    pub fn of_icmp(kind: u8) -> Option<ProbeKind> {
        matches!(kind, 8 | 13 | 15 | 17 | 128).then_some(ProbeKind::Request)
    }
}

/// The fields of a SYN that ordinary stacks leave empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnusedFields {
    /// Acknowledgement number and urgent pointer are 0.
    Empty,
    /// The acknowledgement number is not 0.
    Acknowledgement,
    /// The urgent pointer is not 0; the acknowledgement number may be 0 or not.
    UrgentPointer,
}

/// Length and hash of a payload. The payload of an ICMP request begins behind its identifier and sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadDigest {
    /// Length in bytes.
    pub length: u16,
    /// The hash; `None` if the payload was not captured.
    pub hash: Option<u32>,
}

impl PayloadDigest {
    /// Returns the length and hash of a whole payload. The hash covers all of at most eight bytes, otherwise bytes 3 to 66.
    /// It is not cryptographic: a sender can make two payloads collide.
    #[inline]
    #[must_use]
    pub fn of(payload: &[u8]) -> PayloadDigest {
        const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
        let start = if payload.len() > SHORT_PAYLOAD { TRANSACTION_BYTES } else { 0 };
        let end = payload.len().min(start + HASHED_BYTES_MAX);
        let mut hash = payload.len() as u64;
        for bytes in payload[start..end].chunks(8) {
            let word = match bytes.first_chunk() {
                Some(word) => u64::from_le_bytes(*word),
                None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
            hash = (hash ^ word).wrapping_mul(MULTIPLIER);
            hash ^= hash >> 32;
        }
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        PayloadDigest { length, hash: Some(u32::try_from(hash & 0xffff_ffff).unwrap_or(0)) }
    }
}

/// The fields of a probe beyond those of other packets. A field is unknown if the capture does not contain it.
///
/// The fields are packed into 64 bits, because every packet is copied several times on its way to its window:
/// kind (bits 0 and 1), "don't fragment" (2, 3), unused fields (4, 5), and from bit 12 either the [`TcpOptions`] of
/// a SYN, or the length (12 to 27), whether length and hash are known (28, 29) and the hash (32 to 63) of a payload.
/// Bits 6 to 11 are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProbeHeader(u64);

/// Code for unknown options: a first option of kind code 0 (none), then one of code 15, which no header can have.
const OPTIONS_UNKNOWN: u64 = 0xf0;
/// The first bit of options and payloads.
const DETAIL: u32 = 12;
const LENGTH_KNOWN: u64 = 1 << 28;
const HASH_KNOWN: u64 = 1 << 29;

impl ProbeHeader {
    /// The header of a packet that begins no contact.
    pub const NONE: ProbeHeader = ProbeHeader(0);

    /// Returns the header of a probe of which only the kind is known.
    #[inline]
    #[must_use]
    pub fn new(kind: ProbeKind) -> ProbeHeader {
        match kind {
            ProbeKind::Syn => ProbeHeader(1 | OPTIONS_UNKNOWN << DETAIL),
            ProbeKind::Datagram => ProbeHeader(2),
            ProbeKind::Request => ProbeHeader(3),
        }
    }

    /// Returns the header of a SYN with a complete TCP header.
    #[inline]
    #[must_use]
    pub fn syn(options: TcpOptions, unused: UnusedFields) -> ProbeHeader {
        let unused = match unused {
            UnusedFields::Empty => 1,
            UnusedFields::Acknowledgement => 2,
            UnusedFields::UrgentPointer => 3,
        };
        ProbeHeader(1 | unused << 4 | options.bits() << DETAIL)
    }

    /// Returns the header with the options of a SYN replaced; other kinds have none.
    #[must_use]
    pub fn with_options(self, options: TcpOptions) -> ProbeHeader {
        match self.kind() {
            Some(ProbeKind::Syn) => ProbeHeader(self.0 & ((1 << DETAIL) - 1) | options.bits() << DETAIL),
            _ => self,
        }
    }

    /// Returns the header with the payload of a datagram or request replaced; that of a SYN is not kept.
    #[inline]
    #[must_use]
    pub fn with_payload(self, payload: PayloadDigest) -> ProbeHeader {
        if !matches!(self.kind(), Some(ProbeKind::Datagram | ProbeKind::Request)) {
            return self;
        }
        let hash = payload.hash.map_or(0, |hash| HASH_KNOWN | u64::from(hash) << 32);
        let head = self.0 & ((1 << DETAIL) - 1);
        ProbeHeader(head | u64::from(payload.length) << DETAIL | LENGTH_KNOWN | hash)
    }

    /// Returns the header with IPv4's "don't fragment" flag; that of a packet that is no probe stays empty.
    #[inline]
    #[must_use]
    pub fn with_dont_fragment(self, flag: Option<bool>) -> ProbeHeader {
        if self == ProbeHeader::NONE {
            return self;
        }
        let bits = flag.map_or(0, |flag| 1 + u64::from(flag));
        ProbeHeader(self.0 & !(3 << 2) | bits << 2)
    }

    /// Returns the kind of the probe; `None` for a packet that begins no contact.
    #[inline]
    #[must_use]
    pub fn kind(self) -> Option<ProbeKind> {
        match self.0 & 3 {
            1 => Some(ProbeKind::Syn),
            2 => Some(ProbeKind::Datagram),
            3 => Some(ProbeKind::Request),
            _ => None,
        }
    }

    /// Returns IPv4's "don't fragment" flag.
    #[must_use]
    pub fn dont_fragment(self) -> Option<bool> {
        match self.0 >> 2 & 3 {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    /// Returns which fields of a SYN that should be empty are not.
    #[must_use]
    pub fn unused(self) -> Option<UnusedFields> {
        match self.0 >> 4 & 3 {
            1 => Some(UnusedFields::Empty),
            2 => Some(UnusedFields::Acknowledgement),
            3 => Some(UnusedFields::UrgentPointer),
            _ => None,
        }
    }

    /// Returns the options of a SYN.
    #[must_use]
    pub fn options(self) -> Option<TcpOptions> {
        let bits = self.0 >> DETAIL;
        let is_known = self.kind() == Some(ProbeKind::Syn) && bits & 0xffff_ffff != OPTIONS_UNKNOWN;
        is_known.then(|| TcpOptions::from_bits(bits))
    }

    /// Returns the payload of a datagram or request.
    #[must_use]
    pub fn payload(self) -> Option<PayloadDigest> {
        let is_known = matches!(self.kind(), Some(ProbeKind::Datagram | ProbeKind::Request));
        let length = u16::try_from(self.0 >> DETAIL & 0xffff).ok();
        let hash = u32::try_from(self.0 >> 32).ok().filter(|_| self.0 & HASH_KNOWN != 0);
        (is_known && self.0 & LENGTH_KNOWN != 0).then_some(PayloadDigest { length: length?, hash })
    }

    /// Returns the packed fields, as the type describes them.
    #[inline]
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Returns the header of packed fields; any number is valid.
    #[inline]
    #[must_use]
    pub fn from_bits(bits: u64) -> ProbeHeader {
        ProbeHeader(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back() {
        let options = TcpOptions::parse(&[2, 4, 5, 0xb4]);
        let syn = ProbeHeader::syn(options, UnusedFields::Empty).with_dont_fragment(Some(true));
        assert_eq!(
            (syn.kind(), syn.options(), syn.unused(), syn.dont_fragment(), syn.payload()),
            (Some(ProbeKind::Syn), Some(options), Some(UnusedFields::Empty), Some(true), None)
        );
        let digest = PayloadDigest::of(b"M-SEARCH * HTTP/1.1");
        let datagram = ProbeHeader::new(ProbeKind::Datagram).with_payload(digest);
        assert_eq!((datagram.payload(), datagram.options()), (Some(digest), None));
        let length_only = PayloadDigest { length: 7, hash: None };
        assert_eq!(datagram.with_payload(length_only).payload(), Some(length_only));
    }

    #[test]
    fn unknown_is_not_none() {
        let unknown = ProbeHeader::new(ProbeKind::Syn);
        assert_eq!((unknown.options(), unknown.unused(), unknown.dont_fragment()), (None, None, None));
        let empty = unknown.with_options(TcpOptions::NONE);
        assert_eq!((empty.options(), empty.kind()), (Some(TcpOptions::NONE), Some(ProbeKind::Syn)));
        assert_eq!(ProbeHeader::NONE.with_dont_fragment(Some(true)), ProbeHeader::NONE);
        assert_eq!(ProbeHeader::new(ProbeKind::Request).payload(), None);
    }

    #[test]
    fn a_hash_leaves_out_transaction_numbers_only() {
        let hash = |payload: &[u8]| PayloadDigest::of(payload).hash;
        assert_eq!(hash(b"\x12\x34\x01\0\0\x01\0\0\0\0"), hash(b"\x56\x78\x01\0\0\x01\0\0\0\0"));
        assert_ne!(hash(b"\x12\x34\x01\0\0\x01\0\0\0\0"), hash(b"\x12\x34\x01\0\0\x01\0\0\0\x01"));
        assert_ne!(hash(b"\x17\0\x03\x2a\0\0\0\0"), hash(b"\x16\0\x03\x2a\0\0\0\0"));
        assert_ne!(hash(b""), hash(b"\0"));
        assert_ne!(hash(b"\0"), hash(b"\0\0"));
        assert_eq!(hash(&[7; 66]).map(|_| ()), Some(()));
    }
}
