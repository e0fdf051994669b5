//! Build script: tells the tests at compile time what is present beside the clone, so that a test without its input is
//! reported as ignored. It sets `cfg(corpora)` where the real captures are at `../shared/corpora`, `cfg(tshark)` where
//! Wireshark's `tshark` and `editcap` are installed, and `cfg(tcpdump)`. The library and the program do not depend on any of these.
//!
//! Cargo runs it again when this file or the variable `CI` changes. After adding the corpora to an existing clone, `touch` it.

#![expect(clippy::print_stdout, reason = "Cargo reads the standard output of a build script")]

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=tests/build/present.rs");
    println!("cargo::rerun-if-env-changed=CI");
    println!("cargo::rustc-check-cfg=cfg(corpora, tshark, tcpdump)");
    if Path::new("../shared/corpora").is_dir() {
        println!("cargo::rustc-cfg=corpora");
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let is_installed = |program: &str| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if is_installed("tshark") && is_installed("editcap") {
        println!("cargo::rustc-cfg=tshark");
    }
    if is_installed("tcpdump") {
        println!("cargo::rustc-cfg=tcpdump");
    }
}
