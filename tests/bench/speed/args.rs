//! The benchmark's options.

use std::path::{Path, PathBuf};

pub(crate) struct Args {
    pub(crate) packets: u64,
    pub(crate) sources: u32,
    pub(crate) runs: usize,
    pub(crate) folder: PathBuf,
    /// Rows whose names have one of these in them; all where there is none.
    pub(crate) only: Vec<String>,
    /// Programs, too, that take minutes.
    pub(crate) slow: bool,
    /// How cost grows, instead of the table of programs.
    pub(crate) growth: bool,
}

impl Args {
    pub(crate) fn of_process() -> Args {
        let mut args = Args {
            packets: 10_000_000,
            sources: 1_800_000,
            runs: 5,
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/speed"),
            only: Vec::new(),
            slow: false,
            growth: false,
        };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("a value behind the option");
            match word.as_str() {
                "--packets" => args.packets = value().parse().expect("a number"),
                "--sources" => args.sources = value().parse().expect("a number"),
                "--runs" => args.runs = value().parse().expect("a number"),
                "--folder" => args.folder = value().into(),
                "--only" => args.only.push(value()),
                "--slow" => args.slow = true,
                "--growth" => args.growth = true,
                other => panic!("unknown option {other}"),
            }
        }
        assert!(args.runs > 0 && args.packets > 0 && args.sources > 0, "numbers above 0");
        args
    }
}
