//! Containers, records and link types.

use super::Seeds;
use crate::packets::{ETHERNET, Pcap, RAW_IP, arp_request, dns, ethernet, ping, tcp, udp};

/// 2024-06-20 00:00:00 UTC, in microseconds.
const START: u64 = 1_718_841_600_000_000;
const SECOND: u64 = 1_000_000;
const DAY: u64 = 86_400 * SECOND;

fn syn(at: u8) -> Vec<u8> {
    tcp(([198, 51, 100, at].into(), 1061), ([203, 0, 113, at].into(), 445), "S", u32::from(at), b"")
}

/// A packet of each kind, again and again, at the times given.
pub(crate) fn mixed(link: u32, times: &[u64]) -> Vec<u8> {
    let mut pcap = Pcap::new(link);
    for (at, time) in times.iter().enumerate() {
        let last = u8::try_from(at % 200).unwrap();
        let (from, to) = ([198, 51, 100, last].into(), [203, 0, 113, last].into());
        match at % 5 {
            0 => pcap
                .add(*time, udp((from, 53), (to, 1061), &dns(7, "example.org", Some([192, 0, 2, 1].into())))),
            1 => pcap.add(*time, ping(from, to, 1)),
            2 if link == ETHERNET => pcap.add_frame(*time, arp_request(from, to)),
            3 => pcap.add(*time, udp((from, 1434), (to, 1434), b"\x04worm")),
            _ => pcap.add(*time, syn(last)),
        }
    }
    pcap.bytes()
}

pub(crate) fn plain(packets: u64) -> Vec<u8> {
    let times: Vec<u64> = (0..packets).map(|at| START + at * SECOND / 3).collect();
    mixed(ETHERNET, &times)
}

/// Bytes with some of them replaced.
pub(crate) fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

/// A pcap in another byte order, or with another magic number (nanoseconds; Kuznetsov's, with 8 bytes more a record).
fn rewritten(magic: u32, big_endian: bool, more: usize) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let half = |half: u16| if big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
    let mut out = [&word(magic)[..], &half(2), &half(4), &[0; 8], &word(65_535), &word(RAW_IP)].concat();
    for at in 0..4u8 {
        let packet = syn(at);
        let length = word(u32::try_from(packet.len()).unwrap());
        out.extend([word(1_718_841_600), word(u32::from(at)), length, length].concat());
        out.extend(vec![0; more]);
        out.extend(packet);
    }
    out
}

pub(crate) fn pcap() -> Seeds {
    let full = plain(36);
    let second_record =
        24 + 16 + usize::try_from(u32::from_le_bytes(full[32..36].try_into().unwrap())).unwrap();
    vec![
        ("Ethernet", plain(10)),
        ("raw IP", mixed(RAW_IP, &[START, START + 1, START + 2, START + 3])),
        ("big endian", rewritten(0xa1b2_c3d4, true, 0)),
        ("nanoseconds", rewritten(0xa1b2_3c4d, false, 0)),
        ("nanoseconds, big endian", rewritten(0xa1b2_3c4d, true, 0)),
        ("Kuznetsov's records", rewritten(0xa1b2_cd34, false, 8)),
        ("no packet", Pcap::new(RAW_IP).bytes()),
        ("grown: cut within the 19th packet", full[..full.len() / 2 + 20].to_vec()),
        ("grown: whole", full.clone()),
        ("a clock at 1970 among 2024", mixed(ETHERNET, &[0, START, START + SECOND, START + 2 * SECOND])),
        ("years from 1970 to 2105", mixed(RAW_IP, &[1, START / 4, START / 2, START, 4_294_967_295 * SECOND])),
        (
            "two days, eight days between",
            mixed(RAW_IP, &[START, START + SECOND, START + 9 * DAY, START + 9 * DAY + 1]),
        ),
        ("one bit of a time", with(plain(6), second_record + 3, &[0x66 ^ 0x40])),
        ("microseconds beyond a second", with(plain(6), second_record + 4, &u32::MAX.to_le_bytes())),
        ("a record that claims too much", with(plain(6), second_record + 8, &u32::MAX.to_le_bytes())),
        ("a record of 0 bytes", with(plain(6), second_record + 8, &[0; 8])),
        ("a time zone", with(plain(6), 8, &(-32_400i32).to_le_bytes())),
        ("the least time zone", with(plain(6), 8, &i32::MIN.to_le_bytes())),
        ("one behind another", [plain(4), plain(4)].concat()),
        ("an unknown link type", with(plain(4), 20, &999u32.to_le_bytes())),
        ("frame check sequences", with(plain(4), 20, &0x2400_0001u32.to_le_bytes())),
        ("version 3", with(plain(4), 4, &[3, 0])),
        ("snoop", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04".to_vec()),
        ("netmon", b"GMBU\x00\x02\x01\x00aaaaaaaaaaaaaaaaaaaaaaaa".to_vec()),
        ("Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".to_vec()),
    ]
}

/// A pcapng, block by block.
struct Section {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl Section {
    fn new(big_endian: bool) -> Section {
        let mut section = Section { big_endian, bytes: Vec::new() };
        let head = [&section.word(0x1a2b_3c4d)[..], &section.half(1), &section.half(0), &[0xff; 8]].concat();
        section.block(0x0a0d_0d0a, &head);
        section
    }

    fn word(&self, word: u32) -> [u8; 4] {
        if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() }
    }

    fn half(&self, half: u16) -> [u8; 2] {
        if self.big_endian { half.to_be_bytes() } else { half.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> &mut Section {
        let padded = body.len().next_multiple_of(4);
        let length = self.word(u32::try_from(padded + 12).unwrap());
        let block = [&self.word(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat();
        self.bytes.extend(block);
        self
    }

    /// An interface with options, each a number and some bytes.
    fn interface(&mut self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> &mut Section {
        let mut body = [&self.half(link)[..], &self.half(0), &self.word(snap_length)].concat();
        for (code, value) in options {
            let mut padded = value.to_vec();
            padded.resize(value.len().next_multiple_of(4), 0);
            body.extend(
                [&self.half(*code)[..], &self.half(u16::try_from(value.len()).unwrap()), &padded].concat(),
            );
        }
        body.extend(self.word(0));
        self.block(1, &body)
    }

    /// An enhanced packet.
    fn packet(&mut self, interface: u32, ticks: u64, frame: &[u8]) -> &mut Section {
        let [high, low] =
            [ticks >> 32, ticks & 0xffff_ffff].map(|half| self.word(u32::try_from(half).unwrap()));
        let length = self.word(u32::try_from(frame.len()).unwrap());
        let body = [&self.word(interface)[..], &high, &low, &length, &length, frame].concat();
        self.block(6, &body)
    }

    /// An obsolete packet: the number of its interface and of drops before it have 16 bits.
    fn obsolete_packet(&mut self, interface: u16, ticks: u64, frame: &[u8]) -> &mut Section {
        let [high, low] =
            [ticks >> 32, ticks & 0xffff_ffff].map(|half| self.word(u32::try_from(half).unwrap()));
        let length = self.word(u32::try_from(frame.len()).unwrap());
        let body =
            [&self.half(interface)[..], &self.half(0xffff), &high, &low, &length, &length, frame].concat();
        self.block(2, &body)
    }

    fn simple_packet(&mut self, frame: &[u8]) -> &mut Section {
        let body = [&self.word(u32::try_from(frame.len()).unwrap())[..], frame].concat();
        self.block(3, &body)
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

pub(crate) fn pcapng() -> Seeds {
    const RAW: u16 = 101;
    let both = |big_endian: bool| {
        let mut section = Section::new(big_endian);
        section.interface(1, 0, &[(2, b"eth0"), (9, &[9])]).interface(
            RAW,
            96,
            &[(9, &[0x8a]), (14, &[0; 8])],
        );
        section.packet(0, START * 1_000, &ethernet(0x0800, &syn(1))).packet(
            1,
            (START / SECOND) << 10,
            &syn(2),
        );
        section.bytes()
    };
    let micros = || {
        let mut section = Section::new(false);
        section.interface(RAW, 0, &[]);
        section
    };
    vec![
        ("two interfaces", both(false)),
        ("big endian", both(true)),
        ("two sections, one of each byte order", [both(false), both(true)].concat()),
        (
            "simple packets",
            micros().simple_packet(&syn(1)).packet(0, START, &syn(2)).simple_packet(&syn(3)).bytes(),
        ),
        (
            "obsolete packets",
            micros().obsolete_packet(0, START, &syn(1)).packet(0, START + 9, &syn(2)).bytes(),
        ),
        (
            "years apart",
            micros()
                .packet(0, 1, &syn(1))
                .packet(0, START / 2, &syn(2))
                .packet(0, START * 2, &syn(3))
                .bytes(),
        ),
        ("a time beyond all", micros().packet(0, u64::MAX, &syn(1)).bytes()),
        ("an unknown interface", micros().packet(7, START, &syn(1)).packet(0, START, &syn(2)).bytes()),
        (
            "other blocks",
            micros()
                .block(4, &[0; 8])
                .block(5, &[0; 12])
                .block(10, b"secrets")
                .packet(0, START, &syn(1))
                .bytes(),
        ),
        (
            "custom blocks",
            micros().block(0xbad, &[0, 0, 0x7e, 0xd9, 1, 2, 3, 4]).packet(0, START, &syn(1)).bytes(),
        ),
        ("no packet", micros().bytes()),
        (
            "units that 64 bits do not hold",
            Section::new(false).interface(RAW, 0, &[(9, &[0xff])]).packet(0, 1, &syn(1)).bytes(),
        ),
        (
            "an offset of time",
            Section::new(true)
                .interface(RAW, 0, &[(14, &i64::MAX.to_be_bytes())])
                .packet(0, 1, &syn(1))
                .bytes(),
        ),
        ("cut within a block", both(false)[..both(false).len() - 30].to_vec()),
        ("version 2", with(both(false), 12, &[2, 0])),
    ]
}

/// Frames of every link type, the type in front (as `laws::records::frame` takes them).
pub(crate) fn frames() -> Seeds {
    let behind = |link: u8, header: &[u8]| [&[255, link][..], header, &syn(9)].concat();
    let tagged = |tags: &[u8]| behind(1, &[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], tags].concat());
    // NFLOG: family, version, resource; then the packet's hardware header (9) and the packet itself (payload, 9).
    let packet = syn(9);
    let [low, high] = u16::try_from(packet.len() + 4).unwrap().to_le_bytes();
    let nflog = [&[255, 239, 2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, low, high, 9, 0][..], &packet].concat();
    vec![
        ("Ethernet", tagged(&[8, 0])),
        ("Ethernet, DNS", {
            let answer = dns(7, "a.example", Some([192, 0, 2, 1].into()));
            [
                &[0, 0][..],
                &ethernet(0x0800, &udp(([192, 0, 2, 53].into(), 53), ([10, 0, 0, 1].into(), 999), &answer)),
            ]
            .concat()
        }),
        (
            "Ethernet, ping",
            [&[0, 0][..], &ethernet(0x0800, &ping([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 7))].concat(),
        ),
        ("ARP", [&[0, 0][..], &arp_request([10, 0, 0, 1].into(), [10, 0, 0, 2].into())].concat()),
        (
            "IPv6",
            [&[255, 229, 0x60, 0, 0, 0, 0, 8, 17, 64][..], &[0xfd; 32], &[0, 53, 4, 37, 0, 8, 0, 0]].concat(),
        ),
        (
            "IPv6 with extensions",
            [
                &[255, 229, 0x60, 0, 0, 0, 0, 24, 0, 64][..],
                &[0xfd; 32],
                &[43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0],
                &[6, 0, 0, 9, 0, 0, 0, 1],
            ]
            .concat(),
        ),
        ("802.1Q", tagged(&[0x81, 0, 0, 105, 8, 0])),
        ("802.1ad", tagged(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0])),
        ("MPLS", tagged(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64])),
        ("PPPoE", tagged(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x21])),
        ("MACsec", tagged(&[0x88, 0xe5, 0x20, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 1, 8, 0])),
        ("802.3 with SNAP", tagged(&[0, 60, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
        ("raw IP", behind(101, &[])),
        ("NULL", behind(0, &[2, 0, 0, 0])),
        ("LOOP", behind(108, &[0, 0, 0, 2])),
        ("PPP", behind(9, &[0, 0x21])),
        ("FDDI", behind(10, &[0x50, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0])),
        ("PPP in HDLC framing", behind(50, &[0xff, 3, 0, 0x21])),
        ("PPPoE alone", behind(51, &[0x11, 0, 0, 1, 0, 50, 0, 0x21])),
        ("Cisco HDLC", behind(104, &[0x0f, 0, 8, 0])),
        ("802.11", behind(105, &[&[8, 1][..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat())),
        ("frame relay", behind(107, &[0x18, 0x41, 3, 0xcc])),
        ("Linux cooked", behind(113, &[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0])),
        (
            "radiotap",
            behind(
                127,
                &[&[0, 0, 8, 0, 0, 0, 0, 0, 8, 1][..], &[0; 22], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat(),
            ),
        ),
        ("PKTAP", behind(149, &[12, 0, 0, 0, 1, 0, 0, 0, 101, 0, 0, 0])),
        ("PKTAP within PKTAP", behind(149, &[12, 0, 0, 0, 1, 0, 0, 0, 149, 0, 0, 0])),
        (
            "PPI and PKTAP in turn",
            behind(192, &[0, 0, 8, 0, 2, 1, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 192, 0, 0, 0].repeat(40)),
        ),
        ("Juniper", [&[255, 178][..], b"MGC\x00", &ethernet(0x0800, &syn(9))].concat()),
        ("IPNET", behind(226, &[&[1, 2][..], &[0; 22]].concat())),
        ("NFLOG", nflog),
        ("cut header", [&[0, 0][..], &ethernet(0x0800, &syn(9)[..22])].concat()),
        ("a packet that is shorter than its frame", [&tagged(&[8, 0])[..], &[0; 20]].concat()),
    ]
}
