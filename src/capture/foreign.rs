//! Recognizes files that inga does not read as captures by their first bytes, and suggests a remedy.

use tar::Header;

/// A description of a file, and a remedy that begins with `; ` or is empty.
type FileDescription = (&'static str, &'static str);

const CONVERT: &str = "; convert it with `editcap -F pcap IN OUT`";
const NETMON: &str = "; convert it with Wireshark's `editcap -F pcap IN OUT`, which reads it";
const UNPACK: &str = "; unpack it first";
const NESTED: &str = "; unpack the outer file first, then give inga the archive";
const NO_PACKETS: &str = "; it holds no packets, so the capture must be somewhere else";
const FETCH: &str = "; fetch the capture itself with `git lfs pull`";
const ANNEX: &str = "; fetch the capture itself with `git annex get`";
const DOWNLOAD_AGAIN: &str =
    "; what was saved is a page about the capture or a login page: download it again";

/// Formats and their first bytes. The signatures are those of Wireshark's wiretap, of file(1) and of the
/// formats' own documentation.
const SIGNATURES: &[(&[u8], FileDescription)] = &[
    // Captures of other recorders.
    (b"snoop\0\0\0", ("a Solaris snoop capture", CONVERT)),
    (b"RTSS", ("a Microsoft Network Monitor 1 capture", NETMON)),
    (b"GMBU", ("a Microsoft Network Monitor 2 capture", NETMON)),
    (b"TRSNIFF data", ("a Network General Sniffer capture", CONVERT)),
    (b"XCP\0", ("a NetXray or Sniffer for Windows capture", CONVERT)),
    (b"\x05VNF", ("a Visual Networks capture", CONVERT)),
    (b"\x7fver", ("an EtherPeek or OmniPeek capture", CONVERT)),
    (b"ObserverPktBuffe", ("a Network Instruments Observer capture", CONVERT)),
    (b"iptrace 1.0", ("an AIX iptrace capture", CONVERT)),
    (b"iptrace 2.0", ("an AIX iptrace capture", CONVERT)),
    (b"\x54\x52\x00\x64\x00", ("an HP-UX nettl trace", CONVERT)),
    (b"btsnoop\0", ("a Bluetooth capture", NO_PACKETS)),
    (&[0xd4, 0xc3, 0xb2, 0xa1], ("a pcap cut off within its header", "; transfer it again")),
    (&[0xa1, 0xb2, 0xc3, 0xd4], ("a pcap cut off within its header", "; transfer it again")),
    (&[0x4d, 0x3c, 0xb2, 0xa1], ("a pcap cut off within its header", "; transfer it again")),
    (&[0xa1, 0xb2, 0x3c, 0x4d], ("a pcap cut off within its header", "; transfer it again")),
    (&[0x0a, 0x0d, 0x0d, 0x0a], ("a damaged pcapng", "; transfer it again, or try `pcapfix`")),
    // Flows and logs, which contain no packets.
    (&[0x0c, 0xa5], ("flow records of nfdump", NO_PACKETS)),
    (&[0xa5, 0x0c], ("flow records of nfdump", NO_PACKETS)),
    (b"#separator ", ("a Zeek log", NO_PACKETS)),
    // Pointers to a file that is stored elsewhere.
    (b"version https://git-lfs.github.com/spec/", ("a Git LFS pointer instead of the file", FETCH)),
    (b"version https://hawser.github.com/spec/", ("a Git LFS pointer instead of the file", FETCH)),
    (b"/annex/objects/", ("a git-annex pointer instead of the file", ANNEX)),
    // Archives and compressions.
    (b"PK\x03\x04", ("a zip archive", NESTED)),
    (b"PK\x05\x06", ("an empty zip archive", "")),
    (b"PK\x07\x08", ("one part of a zip archive in several parts", "; join the parts with `zip -s 0`")),
    (b"7z\xbc\xaf\x27\x1c", ("a 7z archive", "; unpack it with `7z x` first")),
    (b"Rar!\x1a\x07", ("a rar archive", "; unpack it with `unrar x` first")),
    (b"MSCF", ("a Windows cabinet archive", "; unpack it with `cabextract` first")),
    (b"!<arch>\n", ("an ar archive or Debian package", UNPACK)),
    (b"070701", ("a cpio archive", UNPACK)),
    (b"070707", ("a cpio archive", UNPACK)),
    (&[0x02, 0x21, 0x4c, 0x18], ("data in the legacy lz4 format", "; unpack it with `lz4 -d` first")),
    (&[0x1f, 0x9d], ("data of compress (.Z)", "; unpack it with `gzip -d` first")),
    (b"LZIP", ("lzip data", "; unpack it with `lzip -d` first")),
    (&[0x5d, 0x00, 0x00], ("data in the old lzma format", "; unpack it with `xz -d --format=lzma` first")),
    (b"\x1f\x8b", ("gzip data", NESTED)),
    (b"\x28\xb5\x2f\xfd", ("zstd data", NESTED)),
    (b"\xfd7zXZ\0", ("xz data", NESTED)),
    (b"BZh", ("bzip2 data", NESTED)),
    // Other files that are often found beside captures.
    (b"MZ", ("a Windows executable", "")),
    (b"\x7fELF", ("an ELF executable", "")),
    (&[0xcf, 0xfa, 0xed, 0xfe], ("a Mach-O executable", "")),
    (&[0xca, 0xfe, 0xba, 0xbe], ("a Java class or Mach-O executable", "")),
    (
        b"SQLite format 3\0",
        ("an SQLite database", "; the catalog of a history is given by its folder, --history DIR"),
    ),
    (b"PAR1", ("a Parquet table", NO_PACKETS)),
    (b"Obj\x01", ("an Avro table", NO_PACKETS)),
    (b"\x89HDF\r\n\x1a\n", ("an HDF5 file", NO_PACKETS)),
    (b"%PDF", ("a PDF document", "")),
    (b"\x89PNG", ("a picture (PNG)", "")),
    (b"\xff\xd8\xff", ("a picture (JPEG)", "")),
    (b"GIF8", ("a picture (GIF)", "")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ("a Microsoft Office document or installer", "")),
    (b"MDMP", ("a Windows memory dump", "")),
    (b"{\\rtf", ("a rich text document", "")),
];

/// Text formats by their first characters, which are compared after leading whitespace and without regard to
/// case.
const TEXTS: &[(&[u8], FileDescription)] = &[
    (b"<!doctype html", ("a page (HTML) instead of the capture", DOWNLOAD_AGAIN)),
    (b"<html", ("a page (HTML) instead of the capture", DOWNLOAD_AGAIN)),
    (b"<head", ("a page (HTML) instead of the capture", DOWNLOAD_AGAIN)),
    (b"<pdml", ("Wireshark's PDML", "; give inga the capture that it was made from")),
    (b"<psml", ("Wireshark's PSML", "; give inga the capture that it was made from")),
    (b"<?xml", ("XML", NO_PACKETS)),
    (b"{", ("JSON", JSON)),
    (b"[{", ("JSON", JSON)),
    (b"#!", ("a script", "")),
];

const JSON: &str = "; a sandbox report's scan is in the capture beside it (dump.pcap)";

/// Returns whether bytes begin with the header of a tar. The checksum decides, because the oldest tars have
/// no magic number.
pub(super) fn is_tar(head: &[u8]) -> bool {
    /// The range of the checksum itself, which is summed as if it held spaces.
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    /// The length of a header in bytes.
    const BLOCK: usize = 512;
    let Some(block) = head.get(..BLOCK) else { return false };
    let outside = block.iter().enumerate().filter(|(at, _)| !CHECKSUM.contains(at));
    let sum: u32 = outside.map(|(_, byte)| u32::from(*byte)).sum::<u32>() + 8 * u32::from(b' ');
    block[0] != 0 && Header::from_byte_slice(block).cksum().is_ok_and(|checksum| checksum == sum)
}

/// Returns a description of a file that is not a capture, by its first bytes, and a remedy.
pub(super) fn describe(head: &[u8]) -> FileDescription {
    if let Some((_, named)) = SIGNATURES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *named;
    }
    if is_tar(head) {
        return ("a tar archive", NESTED);
    }
    if is_erf(head) {
        return ("an Endace ERF capture", CONVERT);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|got| got.eq_ignore_ascii_case(word));
    if let Some((_, named)) = TEXTS.iter().find(|(word, _)| begins(word)) {
        return *named;
    }
    if head.iter().all(|byte| *byte == 0) {
        return ("nothing but zeros", "; its blocks were reserved and never written: transfer it again");
    }
    if is_text(head) {
        return ("text, but no line of it is tcpdump's", "; print it with `tcpdump -nn -tttt -r CAPTURE`");
    }
    ("unknown bytes", "")
}

/// Returns whether the first bytes are UTF-8 text. The last character may be incomplete.
fn is_text(head: &[u8]) -> bool {
    const LOOKED_AT: usize = 512;
    let looked_at = &head[..head.len().min(LOOKED_AT)];
    match std::str::from_utf8(looked_at) {
        Ok(text) => !text.contains('\0'),
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// Returns whether bytes begin with records of Endace's Extensible Record Format (ERF), which has no magic
/// number. A record begins with a timestamp (64 bits, little-endian, seconds in the upper half), a type,
/// flags, and its length (16 bits, big-endian). Two successive records of known types whose times differ by
/// at most a day do not occur by chance.
fn is_erf(head: &[u8]) -> bool {
    let Some((first, length)) = erf_record(head) else { return false };
    let Some((second, _)) = head.get(length..).and_then(erf_record) else { return false };
    const DAY_SECONDS: u32 = 86_400;
    first.abs_diff(second) <= DAY_SECONDS
}

/// Returns the time in seconds since 1970 and the length in bytes of an ERF record.
fn erf_record(bytes: &[u8]) -> Option<(u32, usize)> {
    /// The beginning of 1995, before the first Endace card was made.
    const SECONDS_MIN: u32 = 788_918_400;
    const HEADER: usize = 16;
    let header = bytes.get(..HEADER)?;
    let seconds = u32::from_le_bytes(header[4..8].try_into().ok()?);
    // The highest bit says that extension headers follow. The highest type is 48. Only records of type 27
    // (metadata) may have a wire length of 0.
    let kind = header[8] & 0x7f;
    let length = usize::from(u16::from_be_bytes([header[10], header[11]]));
    let wire = u16::from_be_bytes([header[14], header[15]]);
    let is_record =
        seconds >= SECONDS_MIN && (1..=48).contains(&kind) && length > HEADER && (wire > 0 || kind == 27);
    is_record.then_some((seconds, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erf(seconds: u32, payload: usize) -> Vec<u8> {
        let length = u16::try_from(16 + payload).unwrap();
        let mut record = vec![0; 4];
        record.extend(seconds.to_le_bytes());
        record.extend([2, 4]);
        record.extend(length.to_be_bytes());
        record.extend([0, 0]);
        record.extend(u16::try_from(payload).unwrap().to_be_bytes());
        record.extend(vec![7; payload]);
        record
    }

    #[test]
    fn every_signature_is_named_and_none_hides_another() {
        for (at, (magic, named)) in SIGNATURES.iter().enumerate() {
            assert_eq!(describe(magic), *named, "signature {at}");
        }
        for (word, named) in TEXTS {
            let upper = [b"\xef\xbb\xbf\n  ", word.to_ascii_uppercase().as_slice(), b" ..."].concat();
            assert_eq!(describe(&upper), *named);
        }
    }

    #[test]
    fn endace_records_are_known_by_two_that_follow_each_other() {
        let both = [erf(1_236_000_000, 60), erf(1_236_000_001, 90)].concat();
        assert!(describe(&both).0.contains("ERF"));
        let apart = [erf(1_236_000_000, 60), erf(1_436_000_001, 90)].concat();
        assert!(!is_erf(&apart) && !is_erf(&both[..70]) && !is_erf(&[0; 200]));
    }

    #[test]
    fn text_and_bytes_are_told_apart() {
        assert!(describe("plain \u{e9}".as_bytes()).0.starts_with("text"));
        assert!(describe(&[0x80, 0x81, 7]).0.starts_with("unknown"));
        assert!(describe(&[0; 4096]).0.contains("zeros"));
    }
}
