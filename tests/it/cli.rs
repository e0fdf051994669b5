//! Every subcommand as its users call it: answers, exit codes, formats, refusals.

use std::collections::BTreeSet;
use std::path::Path;

use inga::store::HistoryStore;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Called, arg, inga, inga_with};
use crate::held;

const SAMPLE_A: &str = "samples/a2eaf57c47a118e91a5edf694685eee7/report.yaml";
const FIGURE_8: &str = "samples/a2eaf57c47a118e91a5edf694685eee7/fig8.txt";
const SERVICES: &str = "samples/scan-among-service-traffic/run.pcap";

/// A call that cannot be carried out: code 2, nothing on standard output, and these words.
fn refused(called: &Called, words: &[&str]) {
    assert_eq!(called.code, 2, "{}", called.stderr);
    assert_eq!(called.stdout, "");
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` in {}", called.stderr);
    }
}

fn keys(value: &Value) -> String {
    value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let help = inga(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes:"));
    for command in ["events", "fingerprint", "check", "observe", "correlate", "series"] {
        let help = inga(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains(&format!("  inga {command}")), "{command} shows no example");
    }
    refused(&inga(&["no-such-thing"]), &["unrecognized subcommand"]);
    assert!(inga(&["--version"]).stdout.starts_with("inga "));
}

#[test]
fn an_option_without_effect_is_noted() {
    let darknet = ["--darknet", "samples/darknet"];
    let notes = |args: &[&str]| {
        let called = inga(&[args, &darknet].concat());
        assert_eq!(called.code, 0, "{}", called.stderr);
        called.stderr
    };
    let text = notes(&["series", "--log", "--value", "hosts", "--theme", "dark"]);
    for option in ["--log", "--value", "--theme"] {
        assert!(text.contains(&format!("note: {option} has no effect on text")), "{text}");
    }
    assert!(!notes(&["series", "--format", "svg", "--log", "--theme", "dark"]).contains("no effect"));
    assert!(
        notes(&["types", "--format", "json", "--theme", "dark"]).contains("--theme has no effect on JSON")
    );
    assert!(notes(&["surges", "--format", "json", "--all"]).contains("--all has no effect on JSON"));
    assert!(
        notes(&["correlate", SAMPLE_A, "--format", "json", "--host", "192.0.2.1"]).contains("--host has")
    );
}

#[test]
fn every_answer_is_written_to_a_file_in_the_format_of_its_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.json");
    let called = inga(&["events", SERVICES, "-o", arg(&path)]);
    assert_eq!((called.code, called.stdout.as_str()), (0, ""));
    let printed = inga(&["events", SERVICES, "--format", "json"]).stdout;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
}

#[test]
fn completions_and_the_man_page_are_made() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(inga(&["completions", shell]).stdout.contains("correlate"), "{shell}");
    }
    assert!(inga(&["man"]).stdout.contains(".TH"));
}

#[test]
fn events_have_published_fields() {
    let events = inga(&["events", SERVICES, "--format", "json"]).json();
    assert_eq!(
        keys(&events[0]),
        "destination destination_port flags icmp_code icmp_type protocol schema source source_port time"
    );
    assert_eq!(events[0]["time"], "2009-03-02T01:00:00.000000000Z");
    let flags: BTreeSet<&str> = events.iter().filter_map(|event| event["flags"].as_str()).collect();
    assert_eq!(flags, BTreeSet::from(["S", "SA", "A", "PA", "FA", "RA"]));
}

#[test]
fn events_of_a_victim_are_scans_or_accesses_with_a_reason() {
    let victim = ["events", SERVICES, "--victim", "192.168.20.21", "--format", "json"];
    let events = inga(&victim).json();
    let scans: Vec<&Value> = events.iter().filter(|event| event["class"] == "scan").collect();
    assert_eq!(scans.len(), 100);
    assert!(scans.iter().all(|event| event["destination_port"] == 445 && event["reason"] == Value::Null));
    let reasons: BTreeSet<&str> = events.iter().filter_map(|event| event["reason"].as_str()).collect();
    for reason in ["dns", "ntp", "netbios", "ssdp", "named", "answered", "arp"] {
        assert!(reasons.contains(reason), "{reason} in {reasons:?}");
    }
    let others = events.iter().filter(|event| event["source"] != "192.168.20.21");
    assert!(others.clone().count() > 0);
    assert!(others.clone().all(|event| event.get("class").is_none()), "another host has no class");
    let auto = inga(&["events", SERVICES, "--victim", "auto", "--format", "json"]);
    assert_eq!(auto.json(), events);
    assert!(auto.stderr.contains("victim 192.168.20.21"));
}

#[test]
fn standard_input_is_read_whatever_it_is() {
    let log = b"00:10:00.5 IP 10.0.0.1.1061 > 192.0.2.1.445: Flags [S], seq 1, win 9, length 0\n";
    let dated = inga_with(&["events", "-", "--date", "2009-03-02", "--format", "json"], log).json();
    assert_eq!(dated[0]["time"], "2009-03-02T00:10:00.500000000Z");
    let undated = inga_with(&["events", "-", "--format", "json"], log).json();
    assert_eq!((&undated[0]["time"], &undated[0]["seconds"]), (&Value::Null, &serde_json::json!(600.5)));
    let capture = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SERVICES)).unwrap();
    let packed = zstd::encode_all(capture.as_slice(), 3).unwrap();
    let from_file = inga(&["events", SERVICES]).stdout;
    assert_eq!(inga_with(&["events", "-"], &packed).stdout, from_file);
}

#[test]
fn what_cannot_be_read_is_said_with_place_and_remedy() {
    refused(&inga(&["events", "no-such-file.pcap"]), &["no-such-file.pcap", "No such file"]);
    refused(&inga_with(&["events", "-"], b""), &["-", "empty"]);
    refused(&inga_with(&["events", "-"], b"\x7fELF..."), &["wanted is a pcap"]);
    refused(&inga(&["events", "rules"]), &["rules", "no capture"]);
    refused(&inga(&["fingerprint", SERVICES, "--victim", "nobody"]), &["--victim", "auto"]);
    refused(&inga(&["fingerprint", SERVICES, "--victim", "auto", "--victim", "10.0.0.1"]), &["exclude"]);
    refused(&inga(&["correlate", SAMPLE_A]), &["--history", "--darknet"]);
    refused(&inga(&["correlate", SAMPLE_A, "--history", "no-such.db"]), &["no-such.db", "inga sensor add"]);
    refused(&inga(&["correlate", SAMPLE_A, "--darknet", "rules"]), &["sensors.yaml"]);
    refused(&inga(&["correlate", SAMPLE_A, SAMPLE_A, "--darknet", "samples/darknet"]), &["same sample"]);
}

#[test]
fn unreadable_parts_are_counted_on_standard_error() {
    let log = "12:00:00.1 IP 10.0.0.1.1 > 192.0.2.1.445: Flags [S], length 0\n\
               12:00:00.2 IP host.example.org.1 > 192.0.2.1.445: Flags [S], length 0\n\
               not a packet at all\n\
               12:00:00.3 IP 10.0.0.1.1 > 192.0.2.2.445: Flags [S], length 0\n";
    let called = inga_with(&["events", "-"], log.as_bytes());
    assert_eq!((called.code, called.stdout.lines().count()), (0, 2));
    assert!(called.stderr.contains("line 2"), "{}", called.stderr);
    assert!(called.stderr.contains("line 3"), "{}", called.stderr);
}

#[test]
fn a_folder_is_read_in_the_order_of_its_first_packets() {
    let folder = TempDir::new().unwrap();
    let line = |hour: u8| format!("2009-03-02 {hour:02}:00:00.0 IP 10.0.0.1.1 > 192.0.2.{hour}.445: S\n");
    for (name, hour) in [("a.txt", 9), ("b.txt", 7), ("sub/c.txt", 8), (".hidden.txt", 6)] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, line(hour)).unwrap();
    }
    std::fs::write(folder.path().join("picture.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let called = inga(&["events", arg(folder.path()), "--format", "json"]);
    let order: Vec<String> =
        called.json().iter().map(|event| event["destination"].as_str().unwrap().to_owned()).collect();
    assert_eq!(order, ["192.0.2.7", "192.0.2.8", "192.0.2.9"]);
    assert!(called.stderr.contains("picture.png: passed over"), "{}", called.stderr);
}

#[test]
fn windows_have_published_fields() {
    let windows = inga(&["fingerprint", FIGURE_8, "--format", "json"]).json();
    assert_eq!(
        keys(&windows[0]),
        "canonical destination_ports destinations end facets labels packets pattern pattern_canonical ports protocol \
         saturated schema shape shape_canonical signature source source_ports start time transition type"
    );
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    for name in ["type", "shape", "pattern"] {
        let digest = windows[0][name].as_str().unwrap();
        assert!(digest.len() == 32 && digest.chars().all(hex), "{digest}");
    }
    let canonical = windows[0]["canonical"].as_str().unwrap();
    assert_eq!(canonical, "bt1|sp=17-32|pk=17-32|dp=1|di=17-32|tr=S|pt=445|pr=TCP:S");
}

#[test]
fn a_dark_prefix_selects_and_ranks() {
    let all = inga(&["fingerprint", SERVICES, "--victim", "auto", "--format", "json"]).json();
    let part = ["fingerprint", SERVICES, "--victim", "auto", "--format", "json", "--prefix", "10.7.3.0/26"];
    let dark = inga(&part).json();
    assert_eq!((&all[0]["destinations"], &dark[0]["destinations"]), (&100.into(), &63.into()));
    // Every third address only: steps of one in the sensor's own list.
    let thin: Vec<String> =
        (1..=28).flat_map(|at| ["--prefix".to_owned(), format!("10.7.3.{}/32", at * 3)]).collect();
    let thin: Vec<&str> = part[..6].iter().copied().chain(thin.iter().map(String::as_str)).collect();
    let ranked = inga(&thin).json();
    assert_eq!(ranked[0]["transition"], "sequential");
    assert_eq!(ranked[0]["destinations"], 28);
}

#[test]
fn tiles_are_drawn_one_a_window() {
    let folder = TempDir::new().unwrap();
    let tiles = folder.path().join("tiles");
    let windows = inga(&[
        "fingerprint",
        "samples/random-scan-with-retries/run.pcap",
        "--tiles",
        arg(&tiles),
        "--format",
        "json",
    ])
    .json();
    let mut drawn = 0;
    for entry in std::fs::read_dir(&tiles).unwrap() {
        let svg = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(roxmltree::Document::parse(&svg).is_ok());
        drawn += 1;
    }
    assert_eq!(drawn, windows.len());
}

#[test]
fn shipped_rules_hold_and_a_broken_one_is_refused_whole() {
    assert_eq!(inga(&["rules", "check"]).code, 0);
    assert_eq!(inga(&["rules", "check", "rules"]).code, 0);
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("labels")).unwrap();
    std::fs::copy("rules/behavior.yaml", folder.path().join("behavior.yaml")).unwrap();
    let bad =
        std::fs::read_to_string("rules/labels/arp-sweep.yaml").unwrap().replace("protocol:", "protocl:");
    std::fs::write(folder.path().join("labels/arp-sweep.yaml"), bad).unwrap();
    let called = inga(&["rules", "check", arg(folder.path())]);
    refused(&called, &["labels/arp-sweep.yaml:", "protocl", "did you mean `protocol`?"]);
    refused(&inga(&["fingerprint", FIGURE_8, "--rules", arg(folder.path())]), &["arp-sweep.yaml"]);
}

fn copy_of(sample: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in std::fs::read_dir(format!("samples/{sample}")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

#[test]
fn check_says_which_parameter_moved_and_accepts_only_when_asked() {
    let folder = copy_of("udp-worm");
    let report = folder.path().join("report.yaml");
    let path = arg(folder.path());
    let shipped = std::fs::read_to_string(&report).unwrap();
    let moved = shipped.replace("di=257-512", "di=129-256").replace("  accesses: []\n", "");
    std::fs::write(&report, format!("# mine\n{moved}")).unwrap();
    let called = inga(&["check", path]);
    assert_eq!(called.code, 1);
    assert!(
        called.stdout.contains("types: destinations: expected 129-256, seen 257-512"),
        "{}",
        called.stdout
    );
    assert_eq!(inga(&["check", path, "--accept"]).code, 0);
    let accepted = std::fs::read_to_string(&report).unwrap();
    assert!(accepted.starts_with("# mine\n") && accepted.contains("di=257-512"));
    assert!(!accepted.contains("accesses"), "a key that was not expected stays unexpected");
    assert!(accepted.contains("verdict: cannot tell"), "what no darknet was asked for stays");
    assert_eq!(inga(&["check", path]).code, 0);
    std::fs::remove_file(folder.path().join("run.txt")).unwrap();
    assert_eq!(inga(&["check", path]).code, 2);
}

#[test]
fn check_writes_junit_with_all_that_its_schemas_ask_for() {
    let folder = TempDir::new().unwrap();
    for (name, report) in
        [("broken", "identity: {}\n"), ("empty", "identity: {md5: \"\"}\ncaptures: [<&>]\n")]
    {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("report.yaml"), report).unwrap();
    }
    let differs = copy_of("udp-worm");
    let report = differs.path().join("report.yaml");
    let text = std::fs::read_to_string(&report).unwrap().replace("windows: 1", "windows: 7");
    std::fs::create_dir(folder.path().join("differs")).unwrap();
    std::fs::write(folder.path().join("differs/report.yaml"), text).unwrap();
    std::fs::copy(differs.path().join("run.txt"), folder.path().join("differs/run.txt")).unwrap();
    let called = inga(&["check", arg(folder.path()), "--format", "junit"]);
    assert_eq!(called.code, 2);
    let document = roxmltree::Document::parse(&called.stdout).unwrap();
    let suite = document.root_element();
    assert_eq!(suite.tag_name().name(), "testsuite");
    let attribute = |name| suite.attribute(name).unwrap();
    assert_eq!((attribute("tests"), attribute("failures"), attribute("errors")), ("3", "1", "2"));
    assert_eq!((attribute("timestamp").len(), attribute("hostname")), (19, "localhost"));
    let children: Vec<&str> =
        suite.children().filter(roxmltree::Node::is_element).map(|node| node.tag_name().name()).collect();
    assert_eq!(children, ["properties", "testcase", "testcase", "testcase", "system-out", "system-err"]);
    for case in suite.children().filter(|node| node.has_tag_name("testcase")) {
        assert!(["name", "classname", "time"].iter().all(|name| case.has_attribute(*name)));
        let told = case.children().find(roxmltree::Node::is_element).unwrap();
        assert!(told.has_attribute("type") && told.has_attribute("message"));
    }
}

#[test]
fn check_holds_for_everything_that_ships() {
    for more in [&[][..], &["--darknet", "samples/darknet"][..]] {
        let checked = inga(&[&["check", "samples", "--format", "json"], more].concat());
        assert_eq!(checked.code, 0, "{}", checked.stdout);
        assert_eq!(checked.json().len(), 8);
    }
}

#[test]
fn the_main_job_ends_with_a_verdict_and_a_page() {
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("report.html");
    let called = inga(&["correlate", SAMPLE_A, "--darknet", "samples/darknet", "-o", arg(&page)]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert!(called.stdout.contains(": likely (type bt1|"), "{}", called.stdout);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<svg") && page.contains("data loss") && page.contains("sample discovered 2009-03-02")
    );
    assert!(!page.contains("<script"));
    let addresses = page.match_indices("://").map(|(at, _)| &page[at.saturating_sub(5)..at + 22]);
    for address in addresses {
        assert!(address.contains("www.w3.org"), "the page asks for {address}");
    }
}

#[test]
fn a_hypothesis_has_published_fields_and_numbers() {
    let all = inga(&["correlate", SAMPLE_A, "--darknet", "samples/darknet", "--format", "json"]).json();
    let best = &all[0];
    assert_eq!(
        keys(best),
        "also bound change claim daily_hosts granularity indistinguishable_from level_q match near_misses no_change_test \
         no_claim onset rank reasons sample sample_date schema score sensor suspects title tool_share verdict volatility_q"
    );
    assert_eq!(
        (&best["rank"], &best["verdict"], &best["granularity"]),
        (&1.into(), &"likely".into(), &"type".into())
    );
    assert!(best["level_q"].as_f64().unwrap() <= 0.05);
    assert_eq!(best["onset"]["lag_days"], 0);
    let series = best["daily_hosts"].as_array().unwrap();
    let of = |day: &str| &series.iter().find(|one| one["day"] == day).unwrap()["hosts"];
    assert_eq!(*of("2009-03-01"), Value::Null, "an outage is no value");
    let north = all.iter().find(|one| one["sensor"] == "north").unwrap();
    assert_eq!(north["verdict"], "likely");
    let hosts = best["match"]["hosts"].as_array().unwrap();
    assert!(hosts.len() <= 20 && best["match"]["host_count"].as_u64().unwrap() > 100);
}

#[test]
fn the_evidence_graph_and_pictures_are_well_formed() {
    let format = |format: &str| {
        inga(&["correlate", SAMPLE_A, "--darknet", "samples/darknet", "--format", format]).stdout
    };
    let graphml = format("graphml");
    let document = roxmltree::Document::parse(&graphml).unwrap();
    let kinds: BTreeSet<&str> = document
        .descendants()
        .filter(|node| node.attribute("key") == Some("kind"))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["sample", "type", "shape", "pattern", "sensor", "label", "host"]));
    let relations = document.descendants().filter(|node| node.attribute("key") == Some("relation"));
    assert!(relations.filter(|node| node.text() == Some("is a")).count() >= 2);
    assert!(format("dot").starts_with("digraph"));
    assert!(roxmltree::Document::parse(&format("svg")).is_ok());
}

#[test]
fn a_database_answers_as_the_folder_it_was_fed_from() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("history");
    let db = arg(&db);
    let done = |args: &[&str]| {
        let called = inga(args);
        assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
        called.stdout
    };
    done(&["sensor", "add", "north", "--history", db, "--prefix", "203.0.113.0/24"]);
    done(&["sensor", "add", "south", "--history", db, "--prefix", "198.51.100.0/24", "--kind", "subnet"]);
    done(&["sensor", "outage", "south", "--history", db, "--from", "2009-02-27", "--to", "2009-03-09"]);
    for sensor in ["north", "south"] {
        let captures = format!("samples/darknet/{sensor}");
        assert!(done(&["observe", "--sensor", sensor, "--history", db, &captures]).contains("stored"));
        assert!(
            done(&["observe", "--sensor", sensor, "--history", db, &captures]).contains("nothing changed")
        );
    }
    let listed = done(&["sensor", "list", "--history", db]);
    assert!(listed.contains("2009-02-27..2009-03-09") && listed.contains("north"), "{listed}");
    let from_db = done(&["correlate", SAMPLE_A, "--history", db, "--format", "json"]);
    let from_folder = done(&["correlate", SAMPLE_A, "--darknet", "samples/darknet", "--format", "json"]);
    assert_eq!(from_db, from_folder);
    done(&["sample", "add", SAMPLE_A, "--history", db]);
    assert!(done(&["sample", "list", "--history", db]).contains("W32.SillyFDC.BAW"));
    assert_eq!(done(&["correlate", "--history", db, "--format", "json"]), from_folder);
    let store = held::open(Path::new(db));
    for sensor in ["north", "south"] {
        let totals = store.totals(sensor).unwrap();
        assert!(totals.len() > 30 && totals.iter().all(|total| total.count.windows > 0), "{totals:?}");
    }
    refused(&inga(&["observe", "--sensor", "east", "--history", db, FIGURE_8]), &["no sensor `east`"]);
    refused(&inga(&["observe", "--sensor", "north", "--history", db, FIGURE_8]), &["no date"]);
    refused(
        &inga(&["sensor", "outage", "south", "--history", db, "--from", "2009-03-09", "--to", "2009-03-01"]),
        &["after"],
    );
    refused(
        &inga(&["sensor", "add", "../x", "--history", db, "--prefix", "203.0.113.0/24"]),
        &["sensor name"],
    );
}

#[test]
fn hostile_names_reach_neither_terminal_nor_page() {
    let folder = copy_of("udp-worm");
    let report = folder.path().join("report.yaml");
    let hostile = std::fs::read_to_string(&report)
        .unwrap()
        .replace("made: UDP worm", "made: \"<script>alert(1)</script>\\e[31m\\u202e\"");
    std::fs::write(&report, hostile).unwrap();
    for format in ["text", "html", "svg", "dot", "graphml"] {
        let called = inga(&["correlate", arg(&report), "--darknet", "samples/darknet", "--format", format]);
        assert_eq!(called.code, 0, "{}", called.stderr);
        let raw = |c: char| c == '\u{1b}' || c == '\u{202e}';
        assert!(!called.stdout.contains(raw), "{format} lets control characters through");
        if !["text", "dot"].contains(&format) {
            assert!(!called.stdout.contains("<script"), "{format} lets markup through");
        }
    }
    let capture = folder.path().join("a\u{1b}[2Jb.pcap");
    std::fs::write(&capture, "").unwrap();
    let called = inga(&["events", arg(&capture)]);
    assert!(!called.stderr.contains('\u{1b}'), "{:?}", called.stderr);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::io::Read;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_inga"))
        .args(["events", "samples/random-scan-with-retries/run.pcap"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}
