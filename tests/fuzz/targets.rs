//! The targets: what each takes, which seeds it starts from, and what it may take of memory.

use crate::laws::{capture, history, records, sandbox, text, words, yaml};
use crate::seeds::{self, Seeds};

/// A law with its seeds and bounds.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// What must hold.
    pub(crate) law: fn(&[u8]),
    /// The plain reading, whose memory and allocations are counted.
    pub(crate) plain: fn(&[u8]),
    pub(crate) seeds: fn() -> Seeds,
    /// Whether documents that are hostile as YAML are tried, too.
    pub(crate) is_yaml: bool,
    /// Whether seeds are cut at every byte.
    pub(crate) cuts: bool,
    /// Edits do not make more of it.
    pub(crate) bytes_max: usize,
    /// Bytes of the heap at a time: so many, and so many for each byte read. What libraries in C take is not in it.
    pub(crate) bytes_base: usize,
    pub(crate) bytes_each: usize,
    /// Allocations, likewise.
    pub(crate) calls_base: usize,
    pub(crate) calls_each: usize,
}

/// A target of captures: memory does not grow with them beyond a record that is looked at whole.
const CAPTURE: Target = Target {
    name: "",
    law: capture::capture,
    plain: capture::stream,
    seeds: seeds::capture::pcap,
    is_yaml: false,
    cuts: true,
    bytes_max: 64 * 1024,
    bytes_base: 512 * 1024,
    bytes_each: 4,
    calls_base: 200,
    calls_each: 1,
};

/// A target of YAML: what is read takes a multiple of the text, most of it by aliases, of which the library follows a hundred
/// for each thing that is written.
const YAML: Target = Target {
    name: "",
    law: yaml::report,
    plain: yaml::report,
    seeds: seeds::yaml::reports,
    is_yaml: true,
    cuts: false,
    bytes_max: 16 * 1024,
    bytes_base: 1024 * 1024,
    bytes_each: 8_000,
    calls_base: 10_000,
    calls_each: 1_000,
};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "pcap", law: records::pcap_file, ..CAPTURE },
    Target { name: "pcapng", seeds: seeds::capture::pcapng, ..CAPTURE },
    Target {
        name: "frame",
        law: records::frame,
        plain: records::frame,
        seeds: seeds::capture::frames,
        cuts: false,
        ..CAPTURE
    },
    // LZ4's blocks have up to 4 MiB, of which two are held, and bzip2's 900 kB.
    Target {
        name: "packed",
        seeds: seeds::packed::packed,
        bytes_base: 16 * 1024 * 1024,
        calls_base: 10_000,
        calls_each: 100,
        ..CAPTURE
    },
    Target { name: "text", law: text::text, seeds: seeds::text::logs, ..CAPTURE },
    Target {
        name: "times",
        law: text::times,
        seeds: seeds::text::times,
        cuts: false,
        bytes_max: 1_024,
        ..CAPTURE
    },
    Target { name: "report", ..YAML },
    // Of a report, values are kept, each with its name; the buffers of the reader are of fixed size.
    Target {
        name: "sandbox",
        law: sandbox::sandbox,
        plain: sandbox::plain,
        seeds: seeds::sandbox::reports,
        cuts: false,
        bytes_each: 200,
        calls_base: 1_000,
        calls_each: 4,
        ..CAPTURE
    },
    Target { name: "rules", law: yaml::rules, plain: yaml::rules, seeds: seeds::yaml::rules, ..YAML },
    Target {
        name: "scenario",
        law: yaml::scenario,
        plain: yaml::scenario,
        seeds: seeds::yaml::scenarios,
        ..YAML
    },
    Target { name: "sensors", law: yaml::sensors, plain: yaml::sensors, seeds: seeds::yaml::sensors, ..YAML },
    Target { name: "events", law: yaml::events, plain: yaml::events, seeds: seeds::yaml::events, ..YAML },
    Target {
        name: "names",
        law: words::names,
        plain: words::names,
        seeds: seeds::words::messages,
        cuts: false,
        bytes_max: 4_096,
        ..CAPTURE
    },
    Target {
        name: "payload",
        law: words::payload,
        plain: words::payload,
        seeds: seeds::words::payloads,
        cuts: false,
        bytes_max: 4_096,
        ..CAPTURE
    },
    // The definition of the command line, with its help, is built six times.
    Target {
        name: "words",
        law: words::words,
        plain: words::words,
        seeds: seeds::words::words,
        is_yaml: false,
        bytes_max: 256,
        calls_base: 20_000,
        ..YAML
    },
    // A history is written, opened and asked twice; SQLite's own memory is not counted.
    Target {
        name: "segment",
        law: history::segment,
        plain: history::segment,
        seeds: seeds::history::segment,
        cuts: false,
        bytes_base: 32 * 1024 * 1024,
        calls_base: 200_000,
        ..CAPTURE
    },
    Target {
        name: "catalog",
        law: history::catalog,
        plain: history::catalog,
        seeds: seeds::history::catalog,
        cuts: false,
        bytes_max: 512 * 1024,
        bytes_base: 32 * 1024 * 1024,
        calls_base: 200_000,
        ..CAPTURE
    },
];
