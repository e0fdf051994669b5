//! No name that an attacker chose reaches an output unescaped: every command, in every format, with a hostile sample
//! name, vendor, note, capture, report and folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use inga::escape::has_hidden;
use tempfile::TempDir;

/// One character of each class that is escaped, with markup.
const HOSTILE: &str = "\u{7f}\u{85}\u{9b}31m\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200f}\u{2028}\u{202e}\u{2060}\u{2069}\u{206f}\u{2800}\u{3164}\u{e000}\u{fdd0}\u{fe0f}\u{feff}\u{fff9}\u{fffb}\u{fffe}\u{ffff}\u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{f0000}\u{10ffff}<b>&\"'";

/// Runs inga with arguments of any bytes, in the project's folder.
fn call(args: &[&std::ffi::OsStr]) -> (Option<i32>, Vec<u8>, Vec<u8>) {
    let output = Command::new(env!("CARGO_BIN_EXE_inga"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    (output.status.code(), output.stdout, output.stderr)
}

/// A sample whose report, folder, capture, vendor, name and source are hostile.
fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let hostile: String = HOSTILE.chars().filter(|c| *c != '/').collect();
    let place = folder.path().join(format!("a{hostile}"));
    std::fs::create_dir(&place).unwrap();
    let capture = format!("run{hostile}.pcap");
    std::fs::copy("samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt", place.join(&capture)).unwrap();
    // Written as JSON with escapes, because the YAML parser accepts these characters in no other form.
    let quoted = |text: &str| {
        let one = |c: char| match u32::from(c) {
            code if code > 0xffff => format!("\\U{code:08x}"),
            code => format!("\\u{code:04x}"),
        };
        format!("\"{}\"", text.chars().map(one).collect::<String>())
    };
    let name = quoted(&format!("W32{hostile}\u{1b}]0;x\u{7}"));
    let report = format!(
        "identity: {{md5: a2eaf57c47a118e91a5edf694685eee7}}\nnames: {{{vendor}: {name}}}\ndiscovered: {{date: 2009-03-02, source: {vendor}}}\norigin: {name}\nnotes: {name}\nvictims: [192.168.20.21]\ncaptures: [{{path: {capture}, packets_per_second: 50}}]\n",
        vendor = quoted(&format!("Acme{hostile}")),
        capture = quoted(&capture),
    );
    let path = place.join("report.yaml");
    std::fs::write(&path, report).unwrap();
    (folder, path)
}

/// Checks that no line of an output has a hidden character, and that pages have none that XML forbids.
fn check(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes);
    assert!(text.is_ok(), "{what}: not UTF-8");
    let text = text.unwrap();
    for line in text.split(['\n', '\r', '\t']) {
        assert!(!has_hidden(line), "{what}: {}", line.escape_unicode());
    }
    if text.starts_with("<svg") || text.starts_with("<?xml") {
        let parsed = roxmltree::Document::parse(text);
        assert!(parsed.is_ok(), "{what}: {parsed:?}");
    }
    if text.starts_with('<') {
        assert!(!text.contains("<b>"), "{what}: markup");
    }
}

/// Commands that show the name of a sample, of its captures, or of a path.
fn calls<'a>(report: &'a str, capture: &'a str, place: &'a str, db: &'a str) -> Vec<Vec<&'a str>> {
    let darknet = ["--darknet", "samples/darknet"];
    let mut calls = vec![
        vec!["check", report],
        vec!["check", report, "--format", "json"],
        vec!["check", report, "--format", "junit"],
        vec!["check", place],
        vec!["events", capture, "--packets-per-second", "50"],
        vec!["fingerprint", capture, "--victim", "auto", "--packets-per-second", "50"],
        vec!["fingerprint", capture, "--format", "json", "--packets-per-second", "50"],
        vec!["project", report, "--prefix", "203.0.113.0/24"],
        vec!["project", report, "--prefix", "203.0.113.0/24", "--format", "json"],
        vec!["sample", "add", report, "--history", db],
        vec!["sample", "list", "--history", db],
        vec!["history", "info", "--history", db],
        vec!["sample", "list", "--history", db],
        vec!["sample", "families", "--history", db],
        vec!["sample", "import", place],
        vec!["sample", "import", place, "--format", "json"],
        vec!["series", "--history", db, "--mark", report, "--format", "svg"],
        vec!["tile", capture, "--host", "192.168.20.21", "--packets-per-second", "50"],
        vec!["observe", "--sensor", "north", "--history", db, capture, "--packets-per-second", "50"],
        // Messages of refusal repeat the argument.
        vec!["events", place],
        vec!["series", "--history", report],
        vec!["series", "--history", place],
        vec!["series", "--history", db, "--sensor", HOSTILE],
        vec!["series", "--history", db, "--filter", HOSTILE],
        vec!["series", "--history", db, "--filter", "label:x"],
        vec!["tile", "--host", HOSTILE],
        vec![HOSTILE],
        vec!["rules", "check", capture],
        vec!["simulate", capture, "--output", place],
        vec!["simulate", report, "--output", place],
        vec!["simulate", "samples/scenarios/small-outbreak.yaml", "--output", place],
        vec!["host", "192.0.2.1", "--history", db, "-o", place],
        vec!["correlate", capture, "--history", db],
    ];
    for format in ["text", "json", "html", "svg", "dot", "graphml"] {
        calls.push([&["correlate", report], &darknet[..], &["--format", format]].concat());
    }
    for format in ["text", "json"] {
        let event = ["--sensor", "north", "--from", "2009-03-02", "--format", format];
        calls.push([&["explain", report], &darknet[..], &event[..]].concat());
    }
    calls
}

#[test]
fn nothing_hidden_reaches_any_output() {
    let (folder, report) = sample();
    let place = report.parent().unwrap();
    let captures = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let capture = captures.into_iter().find(|path| *path != report).unwrap();
    let db = folder.path().join("history");
    let text = |path: &'_ Path| path.to_str().unwrap().to_owned();
    let (report, capture, place, db) = (text(&report), text(&capture), text(place), text(&db));
    let made = ["sensor", "add", "north", "--history", &db, "--prefix", "203.0.113.0/24"];
    assert_eq!(crate::command::inga(&made).code, 0);
    let mut succeeded = 0;
    for args in calls(&report, &capture, &place, &db) {
        let what = args.iter().map(|arg| inga::escape::escape_hidden(arg)).collect::<Vec<_>>().join(" ");
        let (code, stdout, stderr) = call(&args.iter().map(std::ffi::OsStr::new).collect::<Vec<_>>());
        assert!(matches!(code, Some(0..=2)), "{what}: {code:?}");
        succeeded += usize::from(code == Some(0));
        check(&what, &stdout);
        check(&what, &stderr);
    }
    assert!(succeeded >= 20, "{succeeded} calls did what they show");
}

/// A parser of JSON gets the name as the report has it.
#[test]
fn json_stays_true() {
    let (_folder, report) = sample();
    let args = ["project", report.to_str().unwrap(), "--prefix", "203.0.113.0/24", "--format", "json"];
    let title = crate::command::inga(&args).json()[0]["title"].as_str().unwrap().to_owned();
    let hostile: String = HOSTILE.chars().filter(|c| *c != '/').collect();
    assert!(title.starts_with(&format!("W32{hostile}\u{1b}]0;x\u{7} (")), "{}", title.escape_unicode());
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_shown_by_their_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"x\xff\x1b.pcap"));
    std::fs::write(&path, "").unwrap();
    for command in ["events", "correlate", "check"] {
        let mut args: Vec<&std::ffi::OsStr> = vec![command.as_ref(), path.as_os_str()];
        if command == "correlate" {
            args.extend(["--darknet".as_ref(), "samples/darknet".as_ref()] as [&std::ffi::OsStr; 2]);
        }
        let (code, stdout, stderr) = call(&args);
        assert_eq!(code, Some(2), "{command}");
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        assert!(text.contains("x\\xff\\u{1b}.pcap"), "{command}: {text}");
    }
}
