//! Goldens with values: what each command answers, as text and as JSON, with one file of `snapshots/`
//! per command.
//!
//! When an answer changes on purpose, `INSTA_UPDATE=always cargo test --test it -- goldens` writes the snapshots
//! again, and git shows what changed. Long answers are shortened and floats are rounded to four digits. What differs
//! between two runs or machines (folders, the time of feeding, sizes of files) is replaced by a word.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga};

const SAMPLE_A: &str = "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml";
const FIGURE_8: &str = "samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt";
const SERVICES: &str = "samples/scan-among-service-traffic/run.pcap";
const PING_SWEEP: &str = "samples/ping-sweep/run.pcap";

/// Most lines of a text, objects of JSON, and elements of an array that are shown.
const LINES_MAX: usize = 24;
const OBJECTS_MAX: usize = 2;
const ELEMENTS_MAX: usize = 3;

/// What differs between two runs, and the word in its place. All packets are of the years 2008 to 2020.
static REPLACED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let replaced = [
        (r"20(2[5-9]|[3-9]\d)-\d\d-\d\dT[0-9:.]+Z?", "NOW"),
        (r"had \d+ bytes, now \d+", "had N bytes, now N"),
        (r#"time="[0-9.]+""#, r#"time="T""#),
        // The last column of `history info`.
        (r"(?m)\t\d+$", "\tN"),
    ];
    replaced.map(|(pattern, word)| (Regex::new(pattern).unwrap(), word)).into()
});

/// Calls of the program, and their answers.
struct Session<'a> {
    folder: &'a Path,
    text: String,
}

impl<'a> Session<'a> {
    fn new(folder: &'a Path) -> Session<'a> {
        Session { folder, text: String::new() }
    }

    /// Adds a call and its answer.
    fn call(&mut self, args: &[&str]) {
        self.call_for(args, &|_| true);
    }

    /// Adds a call, and those lines of its answer that are wanted.
    fn call_for(&mut self, args: &[&str], wanted: &dyn Fn(&str) -> bool) {
        let called = inga(args);
        let quote = |arg: &&str| if arg.contains(' ') { format!("'{arg}'") } else { (*arg).to_owned() };
        let quoted: Vec<String> = args.iter().map(quote).collect();
        self.line(&format!("$ inga {}", quoted.join(" ")));
        if args.contains(&"json") {
            self.objects(&called.stdout);
        } else {
            self.lines(called.stdout.lines().filter(|line| wanted(line)));
        }
        for note in called.stderr.lines() {
            self.line(&format!("! {note}"));
        }
        if called.code != 0 {
            self.line(&format!("exit code {}", called.code));
        }
    }

    /// Adds a question that has an answer as text and one as JSON.
    fn text_and_json(&mut self, args: &[&str]) {
        self.call(args);
        self.call(&[args, &["--format", "json"]].concat());
    }

    /// Adds the first lines of a text.
    fn lines<'l>(&mut self, lines: impl Iterator<Item = &'l str>) {
        let lines: Vec<&str> = lines.collect();
        for line in lines.iter().take(LINES_MAX) {
            self.line(line);
        }
        if lines.len() > LINES_MAX {
            self.line(&format!("… {} lines in all", lines.len()));
        }
    }

    /// Adds the first objects of lines of JSON, one key per line. Each line begins with the schema's version.
    fn objects(&mut self, json: &str) {
        let all: Vec<&str> = json.lines().collect();
        for line in &all {
            assert!(line.starts_with(r#"{"schema":1,"#), "{line}");
        }
        for line in all.iter().take(OBJECTS_MAX) {
            let object: Value = serde_json::from_str(line).unwrap();
            let mut start = '{';
            for (key, value) in object.as_object().unwrap() {
                let value = if key == "bytes" && value.is_number() { "N".into() } else { shortened(value) };
                self.line(&format!("{start} {key}: {value}"));
                start = ' ';
            }
        }
        if all.len() > OBJECTS_MAX {
            self.line(&format!("… {} objects in all", all.len()));
        }
    }

    fn line(&mut self, line: &str) {
        let line = line.replace(arg(self.folder), "FOLDER");
        let line =
            REPLACED.iter().fold(line, |line, (found, word)| found.replace_all(&line, *word).into_owned());
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Compares the session with the snapshot of that name.
    fn compare(&mut self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text));
        self.text.clear();
    }
}

/// A value with short arrays and rounded floats.
fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(all) => {
            let mut some: Vec<Value> = all.iter().take(ELEMENTS_MAX).map(shortened).collect();
            if all.len() > ELEMENTS_MAX {
                some.push(format!("… {} in all", all.len()).into());
            }
            some.into()
        }
        Value::Object(all) => all.iter().map(|(key, value)| (key.clone(), shortened(value))).collect(),
        Value::Number(number) if number.is_f64() => {
            format!("{:.3e}", number.as_f64().unwrap()).parse::<f64>().unwrap().into()
        }
        other => other.clone(),
    }
}

#[test]
fn captures_rules_and_samples() {
    let folder = TempDir::new().unwrap();
    let mut session = Session::new(folder.path());
    session.text_and_json(&["events", SERVICES, "--victim", "auto"]);
    session.compare("events");
    session.text_and_json(&["fingerprint", FIGURE_8]);
    session.call(&["fingerprint", PING_SWEEP, "--format", "json"]);
    session.text_and_json(&["fingerprint", SERVICES, "--summary"]);
    session.compare("fingerprint");
    session.call(&["rules", "check"]);
    session.compare("rules");
    session.text_and_json(&["check", "samples"]);
    session.call(&["check", "samples", "--format", "junit"]);
    session.compare("check");
    session.text_and_json(&["project", SAMPLE_A, "--prefix", "203.0.113.0/24"]);
    session.compare("project");
    let has_words = |line: &str| line.starts_with("<title") || line.starts_with("<text");
    session.call_for(&["tile", PING_SWEEP, "--host", "192.168.20.21"], &has_words);
    session.compare("tile");
}

#[test]
fn a_simulation() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("outbreak");
    let mut session = Session::new(folder.path());
    session.call(&[
        "simulate",
        "samples/scenarios/small-outbreak.yaml",
        "--output",
        arg(&out),
        "--scale",
        "0.2",
    ]);
    let files = walkdir::WalkDir::new(&out).sort_by_file_name().into_iter().map(Result::unwrap);
    let files: Vec<String> = files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&out).unwrap().display().to_string())
        .collect();
    session.lines(files.iter().map(String::as_str));
    for name in ["sensors.yaml", "truth.yaml"] {
        session.line(&format!("$ cat {name}"));
        session.lines(std::fs::read_to_string(out.join(name)).unwrap().lines());
    }
    session.compare("simulate");
}

/// Makes the history of the darknet that ships.
fn feed(session: &mut Session<'_>, history: &str) {
    let (north, south) =
        (["--prefix", "203.0.113.0/24"], ["--prefix", "198.51.100.0/24", "--kind", "subnet"]);
    session.call(&[&["sensor", "add", "north", "--history", history], &north[..]].concat());
    session.call(&[&["sensor", "add", "south", "--history", history], &south[..]].concat());
    let outage = ["--from", "2009-02-27", "--to", "2009-03-09", "--reason", "data loss"];
    session.call(&[&["sensor", "outage", "south", "--history", history], &outage[..]].concat());
    session.text_and_json(&["sensor", "list", "--history", history]);
    session.compare("sensor");
    for sensor in ["north", "south"] {
        let captures = format!("samples/darknet/{sensor}");
        session.call(&["observe", "--sensor", sensor, "--history", history, &captures]);
    }
    session.text_and_json(&["capture", "list", "--history", history]);
    session.compare("observe");
    session.call(&["sample", "add", SAMPLE_A, "--history", history]);
    session.call(&["sample", "list", "--history", history]);
    session.compare("sample");
    session.text_and_json(&["history", "info", "--history", history]);
    session.call(&["history", "verify", "--history", history]);
    session.call(&["history", "compact", "--history", history]);
    session.call(&["history", "verify", "--history", history]);
    session.compare("history");
}

#[test]
fn a_history() {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("history");
    let history = arg(&history);
    let mut session = Session::new(folder.path());
    feed(&mut session, history);
    let asked = |question: &[&'static str]| -> Vec<&str> {
        let (command, rest) = question.split_first().unwrap();
        [&[*command, "--history", history], rest].concat()
    };
    let months = asked(&["series", "--by", "month", "--filter", "445/tcp"]);
    session.text_and_json(&months);
    session.call(&[&months[..], &["--format", "csv"]].concat());
    // The pattern of sample A, by the name of the granularity and by its earlier name.
    for name in ["pattern", "family"] {
        let of = format!("{name}:eef935405a06ba565133d942ae55882a");
        session.call(
            &[&asked(&["series", "--by", "all", "--sensor", "north", "--filter"])[..], &[&of]].concat(),
        );
    }
    session.compare("series");
    for (name, question) in [
        ("host", &["host", "100.64.3.241"][..]),
        ("cohort", &["cohort", "--before", "445/tcp", "--after", "icmp", "--around", "2009-02-10"]),
        ("surges", &["surges"]),
        ("types", &["types"]),
        ("explain", &["explain", "--sensor", "north", "--from", "2009-03-02", "--filter", "445/tcp"]),
        ("correlate", &["correlate"]),
    ] {
        session.text_and_json(&asked(question));
        session.compare(name);
    }
}
