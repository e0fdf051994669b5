//! Other programs, run whole: how long, what they print, how much memory.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program with its arguments on certain cores.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    cores: &'static str,
    words: Vec<String>,
}

/// One core, and two.
pub(crate) const ONE: &str = "0";
pub(crate) const TWO: &str = "0,1";

impl Program {
    pub(crate) fn new(cores: &'static str, words: &[&str]) -> Program {
        Program { cores, words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// The program's name, without its arguments.
    pub(crate) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("taskset");
        // tcpdump prints times of the local zone; inga takes them for UTC.
        command.args(["-c", self.cores]).args(&self.words).env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    fn spawn(&self) -> Child {
        self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taskset")
    }

    /// Runs it, its output thrown away.
    pub(crate) fn time(&self) -> Duration {
        let began = Instant::now();
        let status = self.spawn().wait().expect("a child");
        let took = began.elapsed();
        assert!(status.success(), "{} failed", self.words.join(" "));
        took
    }

    /// What it prints, on either stream.
    pub(crate) fn text(&self) -> String {
        let output = self.command().output().expect("taskset");
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
    }

    /// What it prints on standard output; it has to succeed.
    pub(crate) fn stdout(&self) -> String {
        let output = self.command().output().expect("taskset");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", self.words.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Writes what it prints into a file.
    pub(crate) fn write_to(&self, path: &Path) {
        let file = File::create(path).expect("a file to write");
        let status = self.command().stdout(file).stderr(Stdio::null()).status().expect("taskset");
        assert!(status.success(), "{} failed", self.words.join(" "));
    }

    /// Gives it something on standard input, and has it write to a file.
    pub(crate) fn feed(&self, input: &[u8], to: File) {
        let mut command = self.command();
        let mut child =
            command.stdin(Stdio::piped()).stdout(to).stderr(Stdio::null()).spawn().expect("taskset");
        child.stdin.take().expect("a pipe").write_all(input).expect("a program that reads");
        assert!(child.wait().expect("a child").success(), "{} failed", self.words.join(" "));
    }

    /// Its peak resident memory in bytes: the kernel keeps the highest value, so the last look before the end misses
    /// only what is taken in its last moments.
    pub(crate) fn peak(&self) -> u64 {
        let mut child = self.spawn();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().expect("a child").is_none() {
            peak = peak.max(high_water(&status).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    }
}

fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Whether a program can be called by this name.
pub(crate) fn installed(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    name.contains('/') || std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}
