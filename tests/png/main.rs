//! Pictures in pixels. A binary of its own, because it needs the feature `png` and the other tests do not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Draws the series of the shipped darknet into a file and returns the file's bytes.
fn drawn(args: &[&str], to: &Path) -> Vec<u8> {
    let status = Command::new(env!("CARGO_BIN_EXE_inga"))
        .args(["series", "--darknet", "samples/darknet", "-o"])
        .arg(to)
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    std::fs::read(to).unwrap()
}

#[test]
fn a_png_has_twice_the_pixels_of_the_svg() {
    let folder = TempDir::new().unwrap();
    let (svg, png) = (folder.path().join("plot.svg"), folder.path().join("plot.png"));
    let svg = String::from_utf8(drawn(&[], &svg)).unwrap();
    let light = drawn(&[], &png);
    assert_eq!(&light[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(light[at..at + 4].try_into().unwrap());
    let document = roxmltree::Document::parse(&svg).unwrap();
    let size = |name: &str| document.root_element().attribute(name).unwrap().parse::<u32>().unwrap();
    assert_eq!((number(16), number(20)), (2 * size("width"), 2 * size("height")));
    // An empty picture of that size takes a hundredth of this.
    assert!(light.len() > 30_000, "{} bytes", light.len());
    assert_ne!(light, drawn(&["--theme", "dark"], &png));
}
