//! The program as its users call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// What a call came to.
pub(crate) struct Called {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Calls inga in the project's folder.
pub(crate) fn inga(args: &[&str]) -> Called {
    inga_with(args, b"")
}

/// Calls inga with something on standard input.
pub(crate) fn inga_with(args: &[&str], input: &[u8]) -> Called {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_inga"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A program that fails before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Called { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

impl Called {
    /// Standard output as lines of JSON, of a call that succeeded.
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All texts of a picture, which is parsed as XML.
pub(crate) fn words(svg: &str) -> String {
    let document = roxmltree::Document::parse(svg).unwrap();
    document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
}
