//! Captures of every container, link type and compression: what is in them comes out, and damage is counted.

use std::io::Write;

use inga::capture::{Input, ReadOptions, ReadReport, read_hashed, read_source};
use inga::packet::{Packet, ProbeHeader, Protocol, TcpFlags, TcpOptions, Timestamp, UnusedFields};

use crate::corpora::corpora;
use crate::make::Random;
use crate::make::packets::{Pcap, RAW_IP, tcp};

const SECONDS: u32 = 1_235_955_600;
const NANOSECONDS: u32 = 123_456_789;

fn syn() -> Vec<u8> {
    tcp(([192, 168, 20, 21].into(), 1061), ([192, 0, 0, 14].into(), 445), "S", 7, b"")
}

fn expected(nanoseconds: u32) -> Packet {
    let options = TcpOptions::parse(&[2, 4, 5, 180, 1, 1, 4, 2]);
    Packet::new([192, 168, 20, 21].into(), [192, 0, 0, 14].into(), Protocol::Tcp)
        .with_time(Timestamp::from_parts(SECONDS.into(), nanoseconds))
        .with_source_port(Some(1061))
        .with_destination_port(Some(445))
        .with_flags(Some(TcpFlags::SYN))
        .with_ip_id(Some(7))
        .with_ttl(Some(128))
        .with_sequence(Some(7))
        .with_tcp_window(Some(65_535))
        .with_probe(ProbeHeader::syn(options, UnusedFields::Empty).with_dont_fragment(Some(true)))
}

fn read(bytes: &[u8]) -> Result<(Vec<Packet>, ReadReport), String> {
    let read = |ahead| {
        let mut packets = Vec::new();
        let options = ReadOptions { read_ahead: ahead, ..ReadOptions::default() };
        let report = read_source(bytes, "made", &options, &mut |packet, _| packets.push(*packet))
            .map_err(|error| error.to_string())?;
        Ok((packets, report))
    };
    let told = |answer: &Result<_, String>| format!("{answer:?}");
    let (here, ahead) = (read(false), read(true));
    assert_eq!(told(&here), told(&ahead), "unpacked on a thread of its own");
    here
}

/// What a capture with these bytes is known by.
fn content_of(bytes: &[u8]) -> [u8; 32] {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let input = Input::Path(file.path().to_owned());
    read_hashed(&input, &ReadOptions::default(), &mut |_, _| {}).unwrap().1
}

fn counted(report: &ReadReport) -> Vec<(String, u64)> {
    report.problems.iter().map(|(problem, tally)| (problem.to_string(), tally.count)).collect()
}

/// A classic file with one record in the byte order and unit given.
fn pcap(big_endian: bool, nano: bool, link: u32, frame: &[u8], original: usize) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let half = |half: u16| if big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
    let magic = if nano { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = word(magic).to_vec();
    out.extend([half(2), half(4)].concat());
    out.extend([word(0), word(0), word(65_535), word(link)].concat());
    let fraction = if nano { NANOSECONDS } else { NANOSECONDS / 1_000 };
    let lengths = [frame.len(), original].map(|length| word(u32::try_from(length).unwrap()));
    out.extend([word(SECONDS), word(fraction)].concat());
    out.extend(lengths.concat());
    out.extend(frame);
    out
}

/// Frames by link type: the same packet in each.
fn frames() -> Vec<(&'static str, u32, Vec<u8>)> {
    let behind = |header: &[u8]| [header, &syn()].concat();
    let ethernet = |tags: &[u8]| behind(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], tags].concat());
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    // A family, a version, a group; then a prefix of five bytes, padded, and the packet.
    let nflog = |half: fn(u16) -> [u8; 2]| {
        let length = u16::try_from(4 + syn().len()).unwrap();
        [&[2, 0, 0, 1][..], &half(9), &half(10), b"drop\0\0\0\0", &half(length), &half(9)].concat()
    };
    let sll2 = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6][..], &[0; 8]].concat();
    vec![
        ("Ethernet", 1, ethernet(&[8, 0])),
        ("802.1Q", 1, ethernet(&[0x81, 0, 0, 105, 8, 0])),
        ("802.1ad with 802.1Q", 1, ethernet(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0])),
        ("old QinQ", 1, ethernet(&[0x91, 0, 0, 1, 0x81, 0, 0, 2, 8, 0])),
        ("MPLS", 1, ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64])),
        ("PPPoE", 1, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x21])),
        ("raw IP", RAW_IP, syn()),
        ("IPv4", 228, syn()),
        ("NULL, little-endian host", 0, behind(&[2, 0, 0, 0])),
        ("NULL, big-endian host", 0, behind(&[0, 0, 0, 2])),
        ("LOOP", 108, behind(&[0, 0, 0, 2])),
        ("Linux cooked", 113, behind(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0])),
        ("Linux cooked 2", 276, behind(&sll2)),
        ("PPP", 9, behind(&[0, 0x21])),
        ("PPP in HDLC framing", 50, behind(&[0xff, 3, 0, 0x21])),
        ("PPPoE alone", 51, behind(&[0x11, 0, 0, 1, 0, 50, 0, 0x21])),
        ("Cisco HDLC", 104, behind(&[0x0f, 0, 8, 0])),
        ("Arista's time of 64 bits", 1, ethernet(&[0xd2, 0x8b, 0, 1, 0, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 8, 0])),
        ("Arista's time of 48 bits", 1, ethernet(&[0xd2, 0x8b, 0, 1, 1, 0x20, 1, 2, 3, 4, 5, 6, 8, 0])),
        ("FDDI", 10, behind(&[&[0x57][..], &[2; 12], &snap].concat())),
        ("Token Ring", 6, behind(&[&[0x10, 0x40][..], &[2; 12], &snap].concat())),
        (
            "Token Ring with a route",
            6,
            behind(&[&[0x10, 0x40][..], &[2; 6], &[0x82; 6], &[6, 0x30, 0, 1, 0, 2], &snap].concat()),
        ),
        ("NFLOG of a little-endian host", 239, behind(&nflog(u16::to_le_bytes))),
        ("NFLOG of a big-endian host", 239, behind(&nflog(u16::to_be_bytes))),
        ("pflog", 117, behind(&[&[61, 2, 1][..], &[0; 61]].concat())),
        ("enc of a little-endian host", 109, behind(&[2, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1])),
        ("enc of a big-endian host", 109, behind(&[0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 1])),
        ("PPI", 192, behind(&[0, 0, 12, 0, 228, 0, 0, 0, 9, 9, 9, 9])),
        ("PPI and PKTAP in turn", 192, behind(&[ppi_and_pktap(192), ppi_and_pktap(101)].concat())),
    ]
}

/// A PPI header, the PKTAP header that it names, and the link type that the latter names.
fn ppi_and_pktap(link: u8) -> [u8; 20] {
    [0, 0, 8, 0, 2, 1, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, link, 0, 0, 0]
}

#[test]
fn a_frame_of_link_headers_only_is_malformed() {
    let frame = ppi_and_pktap(192).repeat(100_000);
    let (packets, report) = read(&pcap(false, false, 192, &frame, frame.len())).unwrap();
    assert_eq!(packets, []);
    assert_eq!(counted(&report), [("malformed header".into(), 1)]);
}

#[test]
fn every_link_type_gives_the_same_packet() {
    for (name, link, frame) in frames() {
        for (big_endian, nano) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = pcap(big_endian, nano, link, &frame, frame.len());
            let (packets, report) = read(&bytes).unwrap();
            let nanoseconds = if nano { NANOSECONDS } else { NANOSECONDS / 1_000 * 1_000 };
            assert_eq!(packets, [expected(nanoseconds)], "{name}");
            assert_eq!(counted(&report), [], "{name}");
        }
    }
}

/// A pcapng block.
fn block(big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let padded = body.len().next_multiple_of(4);
    let length = word(u32::try_from(padded + 12).unwrap());
    [&word(kind)[..], &length, body, &vec![0; padded - body.len()], &length].concat()
}

/// A section with two interfaces of different link types and clocks, and a packet of each.
fn pcapng(big_endian: bool) -> Vec<u8> {
    let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
    let half = |half: u16| if big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
    let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    let interface = |link: u16, resolution: u8| {
        let option = [&half(9)[..], &half(1), &[resolution, 0, 0, 0], &half(0), &half(0)].concat();
        block(big_endian, 1, &[&half(link)[..], &half(0), &word(0), &option].concat())
    };
    let packet = |interface: u32, ticks: u64, frame: &[u8]| {
        let (high, low) = (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap());
        let length = word(u32::try_from(frame.len()).unwrap());
        block(big_endian, 6, &[&word(interface), &word(high), &word(low), &length, &length, frame].concat())
    };
    let ethernet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &syn()].concat();
    let nanoseconds = u64::from(SECONDS) * 1_000_000_000 + u64::from(NANOSECONDS);
    // 2^-10 of a second: half a second is 512 ticks.
    let binary = u64::from(SECONDS) * 1024 + 512;
    [
        block(big_endian, 0x0a0d_0d0a, &section),
        interface(1, 9),
        interface(u16::try_from(RAW_IP).unwrap(), 0x8a),
        packet(0, nanoseconds, &ethernet),
        packet(1, binary, &syn()),
    ]
    .concat()
}

#[test]
fn pcapng_interfaces_have_their_own_links_and_clocks() {
    let both = [pcapng(false), pcapng(true)].concat();
    for (bytes, sections) in [(pcapng(false), 1), (pcapng(true), 1), (both, 2)] {
        let (packets, report) = read(&bytes).unwrap();
        let section = [expected(NANOSECONDS), expected(500_000_000)];
        assert_eq!(packets, section.repeat(sections));
        assert_eq!(counted(&report), []);
    }
}

#[test]
fn obsolete_packet_blocks_are_packets() {
    for big_endian in [false, true] {
        let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
        let half = |half: u16| if big_endian { half.to_be_bytes() } else { half.to_le_bytes() };
        let ticks = (u64::from(SECONDS) * 1024 + 512).to_be_bytes();
        let (high, low) = ticks.split_at(4);
        let number = |bytes: &[u8]| word(u32::from_be_bytes(bytes.try_into().unwrap()));
        let length = |length: usize| word(u32::try_from(length).unwrap());
        let packet = |interface: u16, captured: usize| {
            // The number of lost packets follows the interface.
            let head = [half(interface), half(7)].concat();
            let time = [number(high), number(low)].concat();
            let lengths = [length(captured), length(captured)].concat();
            block(big_endian, 2, &[&head[..], &time, &lengths, &syn()].concat())
        };
        let bytes = [pcapng(big_endian), packet(1, syn().len()), packet(9, syn().len()), packet(1, 4_000)];
        let (packets, report) = read(&bytes.concat()).unwrap();
        assert_eq!(packets[2..], [expected(500_000_000)]);
        let counts = [("damaged record".to_owned(), 1), ("packet of an undescribed interface".to_owned(), 1)];
        assert_eq!(counted(&report), counts);
    }
}

/// tcpdump and tshark show the same times whatever stands there.
#[test]
fn the_time_zone_of_a_header_changes_nothing() {
    let mut bytes = pcap(false, true, RAW_IP, &syn(), syn().len());
    bytes[8..12].copy_from_slice(&(-32_400i32).to_le_bytes());
    let (packets, report) = read(&bytes).unwrap();
    assert_eq!(packets, [expected(NANOSECONDS)]);
    assert_eq!(counted(&report), []);
}

#[test]
fn a_capture_behind_another_is_read_and_reported_with_its_place() {
    let ethernet = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &syn()].concat();
    let mut captures = Vec::new();
    for big_endian in [false, true] {
        for nano in [false, true] {
            captures.push(pcap(big_endian, nano, RAW_IP, &syn(), syn().len()));
        }
        captures.push(pcap(big_endian, true, 1, &ethernet, ethernet.len()));
        captures.push(pcapng(big_endian));
    }
    let zoned = {
        let mut zoned = captures[0].clone();
        zoned[8..12].copy_from_slice(&32_400u32.to_le_bytes());
        zoned
    };
    captures.push(zoned);
    for first in &captures {
        for second in &captures {
            let (alone, _) = read(first).unwrap();
            let (behind, _) = read(second).unwrap();
            let (packets, report) = read(&[&first[..], second].concat()).unwrap();
            assert_eq!(packets, [alone, behind].concat());
            let is_pcapng = |bytes: &[u8]| bytes.starts_with(&[0x0a, 0x0d]);
            if is_pcapng(first) && is_pcapng(second) {
                assert_eq!(counted(&report), [], "a pcapng may have several sections");
                continue;
            }
            assert_eq!(counted(&report), [("another capture appended to this one".to_owned(), 1)]);
            let (_, tally) = report.problems.iter().next().unwrap();
            assert_eq!(tally.first.to_string(), format!("byte {}", first.len()));
        }
    }
}

/// The version of a header stands where a record has the fraction of its second.
#[test]
fn a_record_that_has_a_headers_version_as_its_fraction_is_a_record() {
    let mut bytes = pcap(false, false, RAW_IP, &syn(), syn().len());
    bytes[28..32].copy_from_slice(&0x0004_0002u32.to_le_bytes());
    let (packets, report) = read(&bytes).unwrap();
    assert_eq!(packets, [expected(262_146_000)]);
    assert_eq!(counted(&report), []);
}

#[test]
fn an_unknown_link_type_is_reported_by_number_and_name() {
    for (link, words) in [(189, "unknown link type 189 (USB_LINUX)"), (4_321, "unknown link type 4321")] {
        let (packets, report) = read(&pcap(false, true, link, &syn(), syn().len())).unwrap();
        assert_eq!(packets, []);
        assert_eq!(counted(&report), [(words.to_owned(), 1)]);
    }
    // Only the first few are counted separately, however many a file claims.
    let many: Vec<u8> =
        (1_000..1_100).flat_map(|link| pcap(false, true, link, &syn(), syn().len())).collect();
    let (_, report) = read(&many).unwrap();
    let links: Vec<(String, u64)> =
        counted(&report).into_iter().filter(|(problem, _)| problem.contains("link type")).collect();
    assert_eq!((links.len(), links.iter().map(|(_, count)| count).sum::<u64>()), (17, 100));
    assert!(links.contains(&("other unknown link types".to_owned(), 84)));
}

#[test]
fn compression_is_told_by_content() {
    let plain = pcap(false, true, RAW_IP, &syn(), syn().len());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(&plain).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(&plain).unwrap();
    let content = content_of(&plain);
    for (name, bytes) in [
        ("gzip", gzip.finish().unwrap()),
        ("bzip2", bzip2.finish().unwrap()),
        ("lz4", lz4.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zstd", zstd::encode_all(plain.as_slice(), 3).unwrap()),
    ] {
        let (packets, _) = read(&bytes).unwrap();
        assert_eq!(packets, [expected(NANOSECONDS)], "{name}");
        assert_eq!(content_of(&bytes), content, "{name}: a capture is known by what it holds");
        // A cut file is told: by an error where nothing is left of it, else by a count.
        if let Ok((_, cut)) = read(&bytes[..bytes.len() - 5]) {
            assert!(!counted(&cut).is_empty(), "{name}");
        }
    }
}

#[test]
fn what_a_snap_length_cuts_off_is_counted_and_the_rest_is_read() {
    let frame = tcp(([192, 168, 20, 21].into(), 1061), ([192, 0, 0, 14].into(), 445), "S", 7, &[0; 400]);
    let (packets, report) = read(&pcap(false, true, RAW_IP, &frame[..60], frame.len())).unwrap();
    assert_eq!(packets, [expected(NANOSECONDS)]);
    assert_eq!(counted(&report), [], "the header is whole");
    let (packets, report) = read(&pcap(false, true, RAW_IP, &frame[..22], frame.len())).unwrap();
    let bare = Packet::new([192, 168, 20, 21].into(), [192, 0, 0, 14].into(), Protocol::Tcp)
        .with_time(expected(NANOSECONDS).time())
        .with_ip_id(Some(7))
        .with_ttl(Some(128))
        .with_source_port(Some(1061));
    let without_port = bare.with_source_port(None);
    assert!(packets == [bare] || packets == [without_port], "{packets:?}");
    assert_eq!(counted(&report).len(), 1, "the transport header is cut: {:?}", counted(&report));
}

#[test]
fn wrong_and_empty_files_are_refused_with_a_reason() {
    for (bytes, words) in [
        (&b""[..], "empty"),
        (b"\x7fELF\x02\x01\x01 and so on", "wanted is a pcap"),
        (b"hello world\n", "wanted is a pcap"),
        (&[0u8; 4096], "wanted is a pcap"),
        (b"\xff\xd8\xff\xe0 a picture", "wanted is a pcap"),
    ] {
        let message = read(bytes).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_record_that_claims_too_much_is_counted_with_its_place() {
    let mut pcap = Pcap::new(RAW_IP);
    (0..3).for_each(|at| pcap.add(at, syn()));
    let mut bytes = pcap.bytes();
    let second = 24 + 16 + syn().len();
    bytes[second + 8..second + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let (packets, report) = read(&bytes).unwrap();
    assert_eq!(packets.len(), 1);
    let (problem, tally) = report.problems.iter().next().unwrap();
    assert_eq!(tally.count, 1, "{problem}");
    assert!(tally.first.to_string().contains(&second.to_string()), "{}", tally.first);
}

/// Whatever is done to a capture, reading ends: with packets, with a count, or with an error.
#[test]
fn damaged_captures_never_panic() {
    let mut random = Random(11);
    let mut bases: Vec<Vec<u8>> =
        frames().iter().map(|(_, link, frame)| pcap(false, false, *link, frame, frame.len())).collect();
    bases.extend([pcapng(false), pcapng(true)]);
    let mut damaged = 0;
    for base in &bases {
        for cut in 0..base.len() {
            let _ = read(&base[..cut]);
            damaged += 1;
        }
        for _ in 0..400 {
            let mut bytes = base.clone();
            for _ in 0..=random.below(4) {
                let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            let _ = read(&bytes);
            damaged += 1;
        }
    }
    assert!(damaged > 8_000, "{damaged}");
}

/// Every file of the corpora, whole, cut and with bytes changed: none makes the reader panic.
#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn no_file_of_the_corpora_panics() {
    let corpora = corpora();
    let (mut files, mut readable, mut random) = (0u64, 0u64, Random(12));
    for entry in walkdir::WalkDir::new(corpora).into_iter().map(Result::unwrap) {
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).unwrap();
        files += 1;
        readable += u64::from(read(&bytes).is_ok());
        if bytes.is_empty() || bytes.len() > 200_000 {
            continue;
        }
        let place = |random: &mut Random| usize::try_from(random.below(bytes.len() as u64)).unwrap();
        let _ = read(&bytes[..place(&mut random)]);
        let mut changed = bytes.clone();
        for _ in 0..8 {
            changed[place(&mut random)] ^= 1 << random.below(8);
        }
        let _ = read(&changed);
    }
    assert!(files > 1_000, "{files} files");
    assert!(readable > files / 2, "{readable} of {files} could be read");
}
