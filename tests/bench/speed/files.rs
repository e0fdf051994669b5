//! The captures that programs are run on, made once and kept in the benchmark's folder.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::darknet::{self, Plan};
use crate::process::{ONE, Program, installed};

/// Lines of tcpdump's text, at most.
const TEXT_PACKETS_MAX: u64 = 2_000_000;

/// One capture in its forms.
pub(crate) struct Files {
    pub(crate) pcap: PathBuf,
    pub(crate) pcapng: Option<PathBuf>,
    pub(crate) gzip: Option<PathBuf>,
    pub(crate) zstd: Option<PathBuf>,
    /// tcpdump's text of the first packets, and how many these are.
    pub(crate) text: Option<(PathBuf, u64)>,
}

impl Files {
    /// A form whose program is not installed is left out.
    pub(crate) fn make(folder: &Path, plan: &Plan) -> Files {
        let pcap = capture(folder, plan);
        let form = |ending: &str, words: &[&str]| {
            installed(words[0]).then(|| {
                let path = pcap.with_extension(ending);
                made(&path, |path| Program::new(ONE, words).write_to(path));
                path
            })
        };
        let name = text(&pcap);
        let lines = plan.packets.min(TEXT_PACKETS_MAX);
        let log = pcap.with_extension("txt");
        let text = installed("tcpdump").then(|| {
            made(&log, |path| printed(&pcap, lines, path));
            (log, lines)
        });
        Files {
            pcapng: form("pcapng", &["editcap", "-F", "pcapng", name, "-"]),
            gzip: form("pcap.gz", &["gzip", "-c", name]),
            zstd: form("pcap.zst", &["zstd", "-qc", name]),
            text,
            pcap,
        }
    }
}

/// Has tcpdump print the first packets, a piece at a time: its time a packet grows with the addresses that it has met,
/// and 200,000 packets at once took ten times as long as in pieces.
fn printed(pcap: &Path, packets: u64, to: &Path) {
    const PIECE: u64 = 10_000;
    let mut pcap = BufReader::with_capacity(1 << 20, File::open(pcap).expect("the capture"));
    let out = File::create(to).expect("a file to write");
    let mut head = [0; 24];
    pcap.read_exact(&mut head).expect("a pcap's head");
    let mut left = packets;
    while left > 0 {
        let mut piece = head.to_vec();
        let count = left.min(PIECE);
        for _ in 0..count {
            let mut record = [0; 16];
            pcap.read_exact(&mut record).expect("a record's head");
            piece.extend(record);
            let [.., a, b, c, d, _, _, _, _] = record;
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            pcap.by_ref().take(length).read_to_end(&mut piece).expect("a record");
        }
        left -= count;
        let out = out.try_clone().expect("the file again");
        Program::new(ONE, &["tcpdump", "-nn", "-tttt", "-r", "-"]).feed(&piece, out);
    }
}

/// The capture of a plan.
pub(crate) fn capture(folder: &Path, plan: &Plan) -> PathBuf {
    let Plan { packets, sources, rate, prefix, seed: _ } = plan;
    let path = folder.join(format!("{packets}-{sources}-{rate}-{prefix}.pcap"));
    made(&path, |path| {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("a file to write"));
        darknet::write(&mut out, plan).and_then(|()| out.flush()).expect("room for the capture");
    });
    path
}

/// Makes a file under another name first: one that is there is whole.
fn made(path: &Path, make: impl FnOnce(&Path)) {
    if !path.exists() {
        let part = path.with_extension("part");
        make(&part);
        std::fs::rename(&part, path).expect("the file just made");
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

pub(crate) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).expect("a file that was made").len()
}
