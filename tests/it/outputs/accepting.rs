//! `inga check --accept` over reports in every style that YAML has: the expectation becomes what was seen, nothing else
//! changes, or the report is refused and stays.

use inga::app::check::replace_expectation;
use inga::sample::{Expectation, SampleReport};
use proptest::prelude::*;
use serde_yaml::Value;

use super::HASH;
use crate::command::{arg, inga};

fn seen() -> Expectation {
    let set = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
    Expectation {
        windows: Some(80),
        types: set(&["bt1|sp=1|pk=1|dp=1|di=1|tr=-|pt=1434|pr=UDP", "bt1|sp=1|pr=TCP:S+SA,UDP"]),
        labels: Some([].into()),
        ports: Some([445, 1434].into()),
        ..Expectation::default()
    }
}

/// Returns all values of a text except the expectation.
fn others(text: &str) -> Value {
    let mut all: Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    all.as_mapping_mut().unwrap().shift_remove("expect");
    all
}

/// Returns the comments of these texts, in which no string has a `#`.
fn comments(text: &str) -> Vec<String> {
    let mut all: Vec<String> =
        text.lines().filter_map(|line| line.find('#').map(|at| line[at..].trim_end().to_owned())).collect();
    all.sort();
    all
}

fn parsed(text: &str) -> SampleReport {
    let report = SampleReport::parse(text);
    assert!(report.is_ok(), "{report:?}: {text:?}");
    report.unwrap()
}

/// Checks what an edit has to keep, and returns whether it was made.
fn check(text: &str) -> bool {
    let before = parsed(text);
    let renewed = before.expect.as_ref().map_or_else(seen, |expected| expected.updated(&seen()));
    let Ok(edited) = replace_expectation(text, before.expect.as_ref(), &renewed) else { return false };
    let after = parsed(&edited);
    assert_eq!(after.expect.as_ref(), Some(&renewed), "{text:?} to {edited:?}");
    assert_eq!(others(&edited), others(text), "{text:?} to {edited:?}");
    assert_eq!(comments(&edited), comments(text), "{text:?} to {edited:?}");
    let again = replace_expectation(&edited, Some(&renewed), &renewed).unwrap();
    assert_eq!(again, edited, "a second time changes nothing");
    true
}

/// Entries of a root mapping, some of them with an expectation in some style.
fn entries(flow: bool) -> impl Strategy<Value = Vec<String>> {
    let identity = prop_oneof![
        Just(format!("identity: {{md5: {HASH}}}")),
        Just(format!("\"identity\": {{\"md5\": \"{HASH}\"}}")),
        Just(format!("identity: &id {{md5: '{HASH}'}}")),
    ];
    let notes = match flow {
        true => {
            prop_oneof![Just("notes: plain text"), Just("notes: \"ü \\u00e9 \\\" x\""), Just("notes: null")]
                .boxed()
        }
        false => prop_oneof![
            Just("notes: plain text"),
            Just("notes: 'two\n\n  lines'"),
            Just("notes: |\n  literal: [\n   expect: no\n\n"),
            Just("notes: >-\n  folded\n  text"),
            Just("notes: |+\n  kept\n\n\n"),
            Just("notes: &n ä  # an anchor"),
            Just("notes:"),
            Just("? notes\n: complex"),
        ]
        .boxed(),
    };
    let expect = match flow {
        true => prop_oneof![
            Just(""),
            Just("expect: {windows: 7}"),
            Just("\"expect\": {\"windows\": 7, \"types\": []}"),
            Just("expect: {windows: 80, types: [a, b], ports: [1,],}"),
            Just("expect: null"),
        ]
        .boxed(),
        false => prop_oneof![
            Just(""),
            Just("expect:"),
            Just("expect: ~"),
            Just("expect: {windows: 7, ports: [1, 2]}  # behind"),
            Just("expect:\n  # first\n  windows: 7  # seven\n  types:\n  # within\n  - a  # one\n  - b  # two\n  ports: [1]"),
            Just("expect:\n    windows: 7\n    # between\n    types:\n      - 'a'\n      -   b\n    # last"),
            Just("\"expect\":\n  ports:\n  - 1434\n  - 445\n  windows: 80"),
            Just("'expect': !!map\n  windows: !!int 7"),
            Just("expect:\n  types: [a,  # why\n    b]\n  labels: [x]\n  windows: &w 7"),
            Just("? expect\n: windows: 7\n  labels:\n  - x"),
            Just("expect:\n  types:\n  - >-\n    folded\n    words\n  transition: random\n  labels:\n  - l"),
        ]
        .boxed(),
    };
    let more = prop_oneof![Just(""), Just("names: {Acme: W32.X}"), Just("origin: \"honeypot\"")];
    (identity, notes, expect, more).prop_flat_map(|(identity, notes, expect, more)| {
        let all = [identity.as_str(), "captures: [x.pcap]", notes, expect, more];
        let all: Vec<String> =
            all.iter().filter(|one| !one.is_empty()).map(|one| (*one).to_owned()).collect();
        Just(all).prop_shuffle()
    })
}

fn block() -> impl Strategy<Value = String> {
    let before =
        prop_oneof![Just(""), Just("---\n"), Just("# head\n"), Just("%YAML 1.1\n--- # doc\n"), Just("\n\n")];
    let between = prop_oneof![Just("\n"), Just("\n\n"), Just("\n# between\n"), Just("  # behind\n")];
    let after = prop_oneof![
        Just("\n"),
        Just(""),
        Just("\n...\n"),
        Just("\n# end"),
        Just("\n\n\n"),
        Just("\n... # end\n# x\n")
    ];
    (entries(false), before, between, after).prop_map(|(entries, before, between, after)| {
        // A comment cannot stand behind a block scalar's text, nor a second one behind a first.
        let mut text = before.to_owned();
        for (at, entry) in entries.iter().enumerate() {
            text += entry;
            let plain = between.starts_with('\n') || entry.contains(['#', '|', '>']) || entry.ends_with(':');
            let between = if plain && !between.starts_with('\n') { "\n" } else { between };
            text += if at + 1 < entries.len() { between } else { after };
        }
        text
    })
}

fn flow() -> impl Strategy<Value = String> {
    let space = prop_oneof![Just(" "), Just("\n  "), Just(" # c\n  "), Just("\t"), Just("")];
    let end = prop_oneof![Just(""), Just("\n"), Just("\n...\n"), Just("  # end\n")];
    let start = prop_oneof![Just(""), Just("--- "), Just("---\n# head\n")];
    let comma = any::<bool>();
    (entries(true), space, end, start, comma).prop_map(|(entries, space, end, start, comma)| {
        let comma = if comma { "," } else { "" };
        let joined = entries.join(&format!(",{space}"));
        format!("{start}{{{space}{joined}{comma}{space}}}{end}")
    })
}

fn styled(text: String, crlf: bool, mark: bool) -> String {
    let text = if crlf { text.replace('\n', "\r\n") } else { text };
    if mark { format!("\u{feff}{text}") } else { text }
}

/// Texts that are reports at all; the parser decides.
fn is_report(text: &str) -> bool {
    SampleReport::parse(text).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, max_global_rejects: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_report_stays_valid_with_its_comments(text in prop_oneof![block(), flow()], crlf: bool, mark: bool) {
        let text = styled(text, crlf, mark);
        prop_assume!(is_report(&text));
        check(&text);
    }
}

/// Difficult texts may be refused, but these are usual and must work.
#[test]
fn usual_styles_are_rewritten() {
    let head = format!("identity: {{md5: {HASH}}}\ncaptures: [run.txt]");
    let of = |expect: &str| [format!("{head}\n{expect}\n"), format!("{expect}\n{head}")];
    let texts = [
        vec![
            head.clone(),
            format!("{head}\n"),
            format!("---\n{head}\n...\n"),
            format!("{{{}}}", head.replace('\n', ", ")),
        ],
        vec![format!("{{\n  \"identity\": {{\"md5\": \"{HASH}\"}},\n  \"captures\": [\"run.txt\"]\n}}\n")],
        vec![format!("{head}\nnotes: |\n  text\n"), format!("{head}\nnotes: |+\n  text\n\n")],
        of("expect:\n  # my comment\n  windows: 7").to_vec(),
        of("expect: {windows: 7}  # here").to_vec(),
        of("\"expect\":\n  windows: 7").to_vec(),
        of("'expect': {\"windows\": 7, types: [a]}").to_vec(),
        of("expect:\n  types:\n  - a  # one\n  # two\n  - b").to_vec(),
        of("expect:\n  types: [a, # one\n    b]").to_vec(),
        of("expect:").to_vec(),
    ];
    for text in texts.concat() {
        for (crlf, mark) in [(false, false), (true, false), (false, true), (true, true)] {
            let text = styled(text.clone(), crlf, mark);
            assert!(is_report(&text), "{text:?}");
            assert!(check(&text), "refused: {text:?}");
        }
    }
    let text = format!("{head}\nexpect:\n  types: [&w a]\n  # kept\nnotes: *w\n");
    assert!(is_report(&text));
    assert!(!check(&text), "an anchor that others use is not changed");
}

#[test]
fn a_report_that_cannot_be_rewritten_stays_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let report = |name: &str, text: &str| {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        std::fs::copy("samples/udp-worm/run.txt", place.join("run.txt")).unwrap();
        let path = place.join("report.yaml");
        std::fs::write(&path, text).unwrap();
        path
    };
    let head = format!("{{identity: {{md5: {HASH}}}, victims: [192.168.20.21], captures: [run.txt]");
    let hard = format!("{head}, expect: {{labels: [&l wrong]}}, origin: *l}}");
    let (first, second) = (report("a", &hard), report("b", &format!("{head}}} # mine\n")));
    let called = inga(&["check", arg(folder.path()), "--accept"]);
    assert_eq!(called.code, 2, "{}", called.stdout);
    assert!(
        called.stderr.contains("report.yaml:1:") && called.stderr.contains("by hand"),
        "{}",
        called.stderr
    );
    assert_eq!(std::fs::read_to_string(&first).unwrap(), hard);
    let rewritten = std::fs::read_to_string(&second).unwrap();
    assert!(
        rewritten.starts_with(&format!("{head}, expect: {{")) && rewritten.ends_with("} # mine\n"),
        "{rewritten}"
    );
    assert_eq!(inga(&["check", arg(&second)]).code, 0);
}
