//! Compressed captures.

use std::io::Write;

use super::Seeds;
use super::capture::{mixed, plain, with};
use crate::packets::RAW_IP;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An xz whose block says that its dictionary has 3 GiB: the byte of the size, behind the filter's number, and the header's
/// checksum (the .xz file format, section 3.1).
fn xz_of_large_dictionary(bytes: &[u8]) -> Vec<u8> {
    const STREAM_HEADER: usize = 12;
    const THREE_GIB: u8 = 39;
    let packed = xz(bytes);
    let size = (usize::from(packed[STREAM_HEADER]) + 1) * 4;
    let filter = packed[STREAM_HEADER..].windows(2).position(|two| two == [0x21, 1]).unwrap() + STREAM_HEADER;
    let packed = with(packed, filter + 2, &[THREE_GIB]);
    let mut sum = flate2::Crc::new();
    sum.update(&packed[STREAM_HEADER..STREAM_HEADER + size - 4]);
    with(packed, STREAM_HEADER + size - 4, &sum.sum().to_le_bytes())
}

/// A zstd frame that asks for a window of 2 GiB (RFC 8878, section 3.1.1.1.2).
fn zstd_of_large_window(bytes: &[u8]) -> Vec<u8> {
    with(zstd(bytes), 5, &[(31 - 10) << 3])
}

pub(crate) fn packed() -> Seeds {
    let small = plain(10);
    // Many packets in few bytes.
    let bomb = mixed(RAW_IP, &vec![1_718_841_600_000_000; 4_000]);
    vec![
        ("gzip", gzip(&small)),
        ("zstd", zstd(&small)),
        ("xz", xz(&small)),
        ("bzip2", bzip2(&small)),
        ("LZ4", lz4(&small)),
        ("gzip, two members", [gzip(&small[..500]), gzip(&small[500..])].concat()),
        (
            "zstd behind a skippable frame",
            [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&small)].concat(),
        ),
        ("xz, two streams", [xz(&small[..500]), xz(&small[500..])].concat()),
        ("bzip2, two streams", [bzip2(&small[..500]), bzip2(&small[500..])].concat()),
        (
            "gzip of a log",
            gzip(
                b"12:00:00.000001 IP 192.0.2.1.1061 > 198.51.100.2.445: Flags [S], seq 7, win 9, length 0\n",
            ),
        ),
        ("gzip in gzip", gzip(&gzip(&small))),
        ("xz of many packets", xz(&bomb)),
        ("gzip of zeros", gzip(&vec![0; 1 << 20])),
        ("xz with a dictionary of 3 GiB", xz_of_large_dictionary(&small)),
        ("zstd with a window of 2 GiB", zstd_of_large_window(&small)),
        ("bzip2, cut", bzip2(&small)[..100].to_vec()),
        ("LZ4 with trailing bytes", [&lz4(&small)[..], b"more"].concat()),
    ]
}
