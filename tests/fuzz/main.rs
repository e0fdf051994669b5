//! The fuzz targets on the stable compiler: every seed, and a bounded number of edits of seeds, the same ones each time.
//!
//! `INGA_FUZZ_CASES=100000 cargo test --test fuzz -- pcap` tries more of one target; `INGA_FUZZ_START=2` other ones;
//! `INGA_FUZZ_CORPUS=FOLDER cargo test --test fuzz -- corpus` writes the seeds for libFuzzer (see `Cargo.toml` here).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod edits;
#[path = "../it/make/hostile.rs"]
#[expect(dead_code, reason = "names are for the other tests")]
mod hostile;
mod laws;
mod memory;
#[path = "../it/make/packets.rs"]
mod packets;
mod seeds;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use edits::{edit, edited};
use targets::{TARGETS, Target};

/// Cases of each target where nobody asks for more.
const CASES: u32 = 400;

/// Lets one test run at a time: memory is counted for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Runs a target on some bytes: its law, and the bounds of what it takes.
fn check(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let run = || {
        (target.law)(bytes);
        let taken = memory::taken(|| (target.plain)(bytes));
        let most = target.bytes_base + target.bytes_each * bytes.len();
        assert!(taken.bytes <= most, "{} bytes of memory for {}, {most} at most", taken.bytes, bytes.len());
        let most = target.calls_base + target.calls_each * bytes.len();
        assert!(taken.calls <= most, "{} allocations for {} bytes, {most} at most", taken.calls, bytes.len());
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        said.or(panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap_or_default()
    })
}

fn fuzz(name: &str) {
    let _alone = alone();
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    for (about, bytes) in &seeds {
        let fault = check(target, bytes).err();
        assert_eq!(fault, None, "{name}, seed `{about}`");
        if target.cuts && bytes.len() <= 4_096 {
            laws::capture::capture_cut_everywhere(bytes);
        }
    }
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    let mut start = [0; 32];
    start[..4].copy_from_slice(&setting("INGA_FUZZ_START", 1).to_le_bytes());
    let config = Config {
        cases: setting("INGA_FUZZ_CASES", CASES),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &start));
    // Failures are tried again while they shrink: only the last one is of interest.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found = runner.run(&inputs(target, seeds), |bytes| {
        check(target, &bytes)
            .map_err(|fault| TestCaseError::fail(format!("{fault}\nbytes: {}", bytes.escape_ascii())))
    });
    std::panic::set_hook(hook);
    assert!(found.is_ok(), "{name}: {}", found.unwrap_err());
}

/// Seeds after some edits; of YAML also documents that are hostile from the start.
fn inputs(target: &Target, seeds: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let bytes_max = target.bytes_max;
    let texts: Vec<String> = seeds.iter().filter_map(|bytes| String::from_utf8(bytes.clone()).ok()).collect();
    let edits = (any::<Index>(), prop::collection::vec(edit(), 1..6))
        .prop_map(move |(seed, edits)| edited(&seeds, &seed, &edits, bytes_max));
    if !target.is_yaml {
        return edits.boxed();
    }
    let hostile =
        prop_oneof![1 => hostile::document(), 2 => hostile::altered(texts)].prop_map(String::into_bytes);
    prop_oneof![1 => edits, 1 => hostile].boxed()
}

/// A test a target.
macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_a_test_and_a_program_of_libfuzzer() {
            // Some seeds are made with much memory, which must not count as another test's.
            let _alone = alone();
            let tests = [$(stringify!($name)),*];
            let manifest = include_str!("Cargo.toml");
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/fuzz_targets");
            for target in TARGETS {
                assert!(tests.contains(&target.name), "{} is no test", target.name);
                assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{} in Cargo.toml", target.name);
                let program = std::fs::read_to_string(folder.join(format!("{}.rs", target.name))).unwrap();
                assert!(program.contains("fuzz_target!"), "{}", target.name);
                assert!((target.seeds)().len() >= 3, "{} has few seeds", target.name);
            }
            assert_eq!(tests.len(), TARGETS.len());
        }
    };
}

tests! { pcap pcapng frame packed text times report sandbox rules scenario sensors events names payload words segment catalog }

/// Writes the seeds where libFuzzer looks for them, if a folder is named.
#[test]
fn corpus() {
    let _alone = alone();
    let Some(folder) = std::env::var_os("INGA_FUZZ_CORPUS").map(std::path::PathBuf::from) else { return };
    for target in TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (at, (_, bytes)) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("{at:03}")), bytes).unwrap();
        }
    }
}
