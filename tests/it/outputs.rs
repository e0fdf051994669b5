//! Files, names and texts that inga writes or reads: where results go, which files reports may name, what reaches a
//! terminal, and numbers and paths that are mistakes.

mod accepting;
mod hostile;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::command::{Called, arg, inga};

const HASH: &str = "835c82ead60e7346460d673ccf7e465f";

/// Runs a command that must be refused with these words.
fn refused(called: &Called, words: &[&str]) {
    assert_eq!(called.code, 2, "{}{}", called.stdout, called.stderr);
    for word in words {
        assert!(called.stderr.contains(word), "`{word}` in {}", called.stderr);
    }
}

/// A folder with an empty history, whose answers are short.
fn history() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("history");
    let called = inga(&["sensor", "add", "north", "--history", arg(&db), "--prefix", "203.0.113.0/24"]);
    assert_eq!(called.code, 0, "{}", called.stderr);
    (folder, db)
}

fn ask(db: &Path, output: &Path) -> Called {
    inga(&["host", "192.0.2.1", "--history", arg(db), "-o", arg(output)])
}

const ANSWER: &str = "sensor  first  last  days  gap  windows  packets  labels  type  signature\n";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    fn fifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_behind_its_links() {
        let (_kept, db) = history();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("other")).unwrap();
        std::fs::write(at("other/old"), "a much longer text than the answer is, ".repeat(40)).unwrap();
        std::fs::set_permissions(at("other/old"), PermissionsExt::from_mode(0o640)).unwrap();
        symlink("other/old", at("link")).unwrap();
        symlink("link", at("chain")).unwrap();
        symlink("other/new", at("dangling")).unwrap();
        symlink("round", at("round")).unwrap();
        let before = at("other/old").metadata().unwrap().ino();
        for name in ["chain", "dangling", "plain"] {
            let called = ask(&db, &at(name));
            assert_eq!(called.code, 0, "{name}: {}", called.stderr);
        }
        assert_eq!((read(&at("other/old")).as_str(), mode(&at("other/old"))), (ANSWER, 0o640));
        assert_ne!(at("other/old").metadata().unwrap().ino(), before, "replaced in one step");
        assert_eq!((read(&at("other/new")), read(&at("plain"))), (ANSWER.to_owned(), ANSWER.to_owned()));
        for link in ["link", "chain", "dangling"] {
            assert!(at(link).symlink_metadata().unwrap().is_symlink(), "{link}");
        }
        refused(&ask(&db, &at("round")), &["round", "links"]);
        refused(&ask(&db, folder.path()), &["this is a folder"]);
        refused(&ask(&db, &at("no/such")), &["no/such", "No such file"]);
        assert_eq!(names(folder.path()), ["chain", "dangling", "link", "other", "plain", "round"]);
        assert_eq!(names(&at("other")), ["new", "old"]);
    }

    #[test]
    fn what_is_no_file_is_written_to_as_it_stands() {
        let (folder, db) = history();
        let pipe = folder.path().join("pipe");
        fifo(&pipe);
        let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(ask(&db, &pipe).code, 0);
        assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), ANSWER);
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        assert_eq!(ask(&db, &null).code, 0);
        assert_eq!(ask(&db, Path::new("/dev/null")).code, 0);
        assert!(null.metadata().unwrap().file_type().is_char_device());
        assert_eq!(ask(&db, Path::new("/dev/stdout")).stdout, ANSWER);
        assert_eq!(ask(&db, Path::new("/proc/self/fd/1")).stdout, ANSWER);
        assert_eq!(ask(&db, Path::new("/dev/stderr")).stderr.matches(ANSWER).count(), 1);
        if Path::new("/dev/full").exists() {
            refused(&ask(&db, Path::new("/dev/full")), &["/dev/full", "space"]);
        }
        let socket = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(ask(&db, &socket).code, 0);
        let mut got = String::new();
        std::io::Read::read_to_string(&mut listener.accept().unwrap().0, &mut got).unwrap();
        assert_eq!(got, ANSWER);
    }

    /// After a shell's `>>`, output to `/dev/stdout` must be appended.
    #[test]
    fn a_redirected_standard_output_is_continued() {
        let (folder, db) = history();
        let log = folder.path().join("log");
        std::fs::write(&log, "before\n").unwrap();
        for _ in 0..2 {
            let file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
            let status = Command::new(env!("CARGO_BIN_EXE_inga"))
                .args(["host", "192.0.2.1", "--history", arg(&db), "-o", "/dev/stdout"])
                .stdout(file)
                .stderr(Stdio::null())
                .status();
            assert!(status.unwrap().success());
        }
        assert_eq!(read(&log), format!("before\n{ANSWER}{ANSWER}"));
    }

    /// Runs as a user who may write the file but not its folder. Root may write everywhere, so the test then runs as
    /// `nobody`.
    #[test]
    fn a_file_in_a_folder_that_may_not_be_written_is_written_in_place() {
        let (folder, db) = history();
        let place = folder.path().join("place");
        std::fs::create_dir(&place).unwrap();
        let file = place.join("answer");
        std::fs::write(&file, "old ".repeat(100)).unwrap();
        let set =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let program = folder.path().join("inga");
        std::fs::copy(env!("CARGO_BIN_EXE_inga"), &program).unwrap();
        set(&program, 0o755);
        set(folder.path(), 0o777);
        set(&db, 0o755);
        set(&file, 0o666);
        set(&place, 0o555);
        let run = |output: &Path| {
            let mut command = Command::new(&program);
            command.args(["host", "192.0.2.1", "--history", arg(&db), "-o", arg(output)]);
            if folder.path().metadata().unwrap().uid() == 0 {
                std::os::unix::process::CommandExt::uid(&mut command, 65_534);
            }
            command.output().unwrap()
        };
        let before = file.metadata().unwrap().ino();
        let output = run(&file);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!((read(&file).as_str(), file.metadata().unwrap().ino()), (ANSWER, before));
        assert_eq!(run(&place.join("new")).status.code(), Some(2));
        set(&file, 0o444);
        let output = run(&file);
        assert_eq!(output.status.code(), Some(2), "a file that may not be written stays");
        assert_eq!(names(&place), ["answer"]);
        set(&place, 0o755);
    }

    #[test]
    fn captures_of_a_report_stay_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("mine/sub")).unwrap();
        let run = "samples/udp-worm/run.txt";
        std::fs::copy(run, at("mine/run.txt")).unwrap();
        std::fs::copy(run, at("mine/sub/run.txt")).unwrap();
        std::fs::copy(run, at("other.pcap")).unwrap();
        symlink("sub/run.txt", at("mine/inner.pcap")).unwrap();
        symlink("../other.pcap", at("mine/outer.pcap")).unwrap();
        symlink("..", at("mine/up")).unwrap();
        symlink("/dev/zero", at("mine/zero")).unwrap();
        fifo(&at("mine/pipe"));
        let report = at("mine/report.yaml");
        let check = |capture: &str, more: &[&str]| {
            let text =
                format!("identity: {{md5: {HASH}}}\nvictims: [192.168.20.21]\ncaptures:\n- {capture}\n");
            std::fs::write(&report, text).unwrap();
            inga(&[&["check", arg(&report)], more].concat())
        };
        for within in ["run.txt", "./sub/run.txt", "inner.pcap", "{path: sub/run.txt}"] {
            let called = check(within, &[]);
            assert_eq!(called.code, 0, "{within}: {}", called.stdout);
        }
        let absolute = at("other.pcap");
        let outside = ["../other.pcap", "sub/../run.txt", "outer.pcap", "up/other.pcap", arg(&absolute)];
        for capture in outside {
            let called = check(capture, &[]);
            assert_eq!(called.code, 2, "{capture}: {}", called.stdout);
            for word in ["report.yaml:4:3: ", "--allow-outside"] {
                assert!(called.stdout.contains(word), "{capture}: {}", called.stdout);
            }
            assert_eq!(check(capture, &["--allow-outside"]).code, 0, "{capture}");
        }
        for (capture, word) in
            [("pipe", "FIFO"), ("zero", "device"), ("/dev/zero", "device"), ("sub", "folder")]
        {
            let called = check(capture, &["--allow-outside"]);
            assert_eq!(called.code, 2, "{capture}");
            assert!(called.stdout.contains(word) && called.stdout.contains(":4:3"), "{}", called.stdout);
        }
        assert!(check("{path: ../x}", &[]).stdout.contains(":4:10: "));
    }
}

#[test]
fn a_failure_leaves_the_old_file_and_no_other() {
    use inga::app::output::{Output, Replacement};
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    std::fs::write(&path, "old").unwrap();
    let failed = Output::File(path.clone()).write(|out| {
        out.write_all(&[b'x'; 100_000])?;
        Err(std::io::Error::other("no more"))
    });
    assert!(failed.unwrap_err().to_string().contains("no more"));
    let mut begun = Replacement::begin(&path).unwrap();
    begun.write_all(&[b'y'; 100_000]).unwrap();
    drop(begun);
    assert_eq!((read(&path).as_str(), names(folder.path())), ("old", vec!["result".to_owned()]));
}

#[test]
fn every_command_writes_its_folders_the_same_way() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    assert_eq!(inga(&["man", arg(&place)]).code, 0);
    let pages = names(&place);
    assert!(
        pages.contains(&"inga.1".to_owned()) && pages.contains(&"inga-sensor-add.1".to_owned()),
        "{pages:?}"
    );
    assert_eq!(inga(&["man", arg(&place)]).code, 0, "a second time");
    assert_eq!(names(&place), pages);
    let file = place.join("inga.1");
    let report = "samples/udp-worm/report.yaml";
    let capture = "samples/udp-worm/run.txt";
    let scenario = "samples/scenarios/small-outbreak.yaml";
    for call in [
        vec!["man", arg(&file)],
        vec!["fingerprint", capture, "--tiles", arg(&file)],
        vec!["project", report, "--prefix", "203.0.113.0/24", "--tiles", arg(&file)],
        vec!["simulate", scenario, "--output", arg(&file)],
    ] {
        refused(&inga(&call), &["this is a file", "folder"]);
    }
}

#[test]
fn scenarios_are_refused_at_once_with_line_and_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scenario.yaml");
    let base = "title: x\nfirst: 2020-01-01\nlast: 2020-01-02\nsensors:\n  - {name: north, kind: dark, prefixes: [198.18.0.0/16], loss: 0}\nfamilies:\n  - name: worm\n    targets: {uniform: {}}\n    probes: [{protocol: TCP, ports: [{port: 445, share: 1}], share: 1}]\n    rate: 10\n    population: {growth: [{hosts: 5, from: 2020-01-01, days: 1}], decay: {half_life_days: 5}}\n    sample: {sandbox: {seconds: 60}}\nbackground:\n  noise:\n    - {name: noise, per_address_day: 0.001, probes: [{protocol: ICMP}]}\n  stray:\n    - {name: peers, addresses: 0.001, hosts_per_address_day: 3, probes: [{protocol: ICMP}]}\n  floods:\n    - {name: floods, per_day: 1, packets_per_second: 10, minutes: 1, probes: [{protocol: ICMP}]}\n  misconfigured:\n    - {name: printer, host: 100.64.9.9, destination: 198.18.20.20, every_seconds: 600, probes: [{protocol: ICMP}]}\n";
    let out = folder.path().join("out");
    let run = |text: &str| {
        std::fs::write(&path, text).unwrap();
        inga(&["simulate", arg(&path), "--output", arg(&out), "--scale", "0.000001"])
    };
    let called = run(base);
    assert_eq!(called.code, 0, "{}", called.stderr);
    for (line, from, to, words) in [
        (5, "198.18.0.0/16", "198.18.0.0/1", "16777216"),
        (5, "loss: 0", "loss: 1.5", "between 0 and 1"),
        (7, "share: 1}]", "share: 1e300}]", "between 0 and 1000000000"),
        (7, "share: 1}]", "share: .nan}]", "between 0 and 1000000000"),
        (7, "hosts: 5", "hosts: 4294967296", "between 0 and 100000000"),
        (7, "days: 1}", "days: 1e9}", "between 0 and 36525"),
        (7, "half_life_days: 5", "half_life_days: 0", "between 0.001 and 36525"),
        (7, "seconds: 60", "seconds: 1e9", "86400"),
        (7, "rate: 10", "rate: 1e6", "5000000"),
        (15, "per_address_day: 0.001", "per_address_day: 4e9", "86400"),
        (15, "per_address_day: 0.001", "per_address_day: 80000", "20000000"),
        (17, "addresses: 0.001", "addresses: 4294967296", "between 0 and 1"),
        (17, "hosts_per_address_day: 3", "hosts_per_address_day: 4294967296", "86400"),
        (19, "packets_per_second: 10", "packets_per_second: .inf", "100000000"),
        (19, "minutes: 1", "minutes: 1e12", "527040"),
        (21, "every_seconds: 600", "every_seconds: 1e-9", "0.001"),
        (3, "last: 2020-01-02", "last: 2099-01-02", "7305"),
    ] {
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from}");
        refused(&run(&text), &[&format!("scenario.yaml:{line}:"), words]);
    }
}

/// YAML that is made to take long, in every kind of file that people write.
#[test]
fn hostile_yaml_is_refused_by_its_limits() {
    let n = 200_000;
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..40 {
        bomb += &format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 10].join(", "));
    }
    let directives: String = (0..20_000).map(|at| format!("%TAG !{at}! x\n")).collect::<String>() + "--- a\n";
    let texts = [
        ("[".repeat(n), "deeper than 64"),
        ("{a: ".repeat(n), "deeper than 64"),
        ("- ".repeat(n), "deeper than 64"),
        ("[{".repeat(n), "deeper than 64"),
        ("a: \"[\"\nb: ".to_owned() + &"[x, ".repeat(n), "deeper than 64"),
        (bomb, "aliases repeat"),
        (directives.clone(), "directives"),
        // libyaml ends a comment at these line ends of YAML 1.1, too.
        ("#\u{2028}x: ".to_owned() + &"{a: ".repeat(n), "deeper than 64"),
        ("#\u{85}x: ".to_owned() + &"{a: ".repeat(n), "deeper than 64"),
        ("%YAML 1.1 #".to_owned() + &directives.replace('\n', "\u{2029}"), "directives"),
        ("k".repeat(n) + ": 1\n", ""),
        (format!("? {}\n: 1\n", "k".repeat(n)), "unknown key"),
        ("a".repeat(3 << 20), "bytes"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("rules/labels")).unwrap();
    let (report, scenario, rules, sensors) =
        (at("report.yaml"), at("scenario.yaml"), at("rules/labels/x.yaml"), at("sensors.yaml"));
    let (out, db) = (at("out"), history());
    for (text, words) in texts {
        for path in [&report, &scenario, &rules, &sensors] {
            std::fs::write(path, &text).unwrap();
        }
        for call in [
            vec!["project", arg(&report), "--prefix", "203.0.113.0/24"],
            vec!["simulate", arg(&scenario), "--output", arg(&out)],
            vec!["rules", "check", arg(&at("rules"))],
            vec!["surges", "--darknet", arg(folder.path())],
            vec!["series", "--history", arg(&db.1), "--mark", arg(&report)],
        ] {
            let called = inga(&call);
            assert_eq!(called.code, 2, "{call:?}: {}", called.stderr);
            assert!(called.stderr.len() < 2_000, "{} bytes of message", called.stderr.len());
            // The list of events has no keys, so none can be unknown.
            let applies = words != "unknown key" || !["series"].contains(&call[0]);
            assert!(!applies || called.stderr.contains(words), "{call:?}: `{words}` in {}", called.stderr);
        }
    }
}

#[test]
fn hashes_in_capitals_name_the_same_sample() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.yaml");
    std::fs::copy("samples/udp-worm/run.txt", folder.path().join("run.txt")).unwrap();
    let hash = HASH.to_uppercase();
    let text = format!("identity: {{md5: {hash}}}\nvictims: [192.168.20.21]\ncaptures: [run.txt]\n");
    std::fs::write(&report, &text).unwrap();
    let checked = &inga(&["check", arg(&report), "--format", "json"]).json()[0];
    assert_eq!(checked["sample"], HASH);
    std::fs::write(&report, text.replace(&hash, "no hash")).unwrap();
    assert!(inga(&["check", arg(&report)]).stdout.contains("report.yaml:1:17: md5 `no hash`"));
}

#[test]
fn swapped_days_bare_ports_and_wrong_paths_are_named() {
    let (folder, db) = history();
    let db = arg(&db);
    let days = ["--from", "2020-02-01", "--to", "2020-01-01"];
    refused(
        &inga(&[&["series", "--history", db], &days[..]].concat()),
        &["--from 2020-02-01 lies after --to 2020-01-01"],
    );
    refused(
        &inga(&[&["sensor", "outage", "north", "--history", db], &days[..]].concat()),
        &["--from 2020-02-01 lies after --to 2020-01-01"],
    );
    for (of, word) in [
        ("5555", "write 5555/tcp or 5555/udp"),
        ("tcp/445", "write 445/tcp"),
        ("445/icmp", "ICMP has no ports"),
        ("99999/tcp", "no port"),
        ("", "protocol"),
    ] {
        refused(&inga(&["series", "--history", db, "--filter", of]), &[word]);
        let call = ["explain", "--history", db, "--sensor", "north", "--from", "2020-01-01", "--filter", of];
        refused(&inga(&call), &[word]);
    }
    let same =
        ["cohort", "--history", db, "--before", "445/tcp", "--after", "445/tcp", "--around", "2020-01-01"];
    refused(&inga(&same), &["both 445/tcp"]);
    let place = arg(folder.path());
    for call in [
        vec!["series", "--history", place],
        vec!["sensor", "list", "--history", place],
        vec!["history", "info", "--history", place],
        vec!["history", "verify", "--history", place],
        vec!["observe", "--sensor", "north", "--history", place, "samples/udp-worm/run.txt"],
    ] {
        refused(&inga(&call), &["the folder has no catalog.sqlite", "inga sensor add"]);
    }
    let add = ["sensor", "add", "x", "--history", place, "--prefix", "192.0.2.0/24"];
    refused(&inga(&add), &["holds other files"]);
    refused(&inga(&["series", "--history", "samples/darknet"]), &["sensors.yaml", "--darknet"]);
    refused(&inga(&["series", "--darknet", "Cargo.toml"]), &["this is a file", "--history"]);
    refused(&inga(&["rules", "check", "Cargo.toml"]), &["this is a file", "folder"]);
    refused(&inga(&["correlate", place, "--history", db]), &["no analysis of a sandbox in it"]);
    refused(&inga(&["simulate", place, "--output", "x"]), &["this is a folder"]);
}

#[test]
fn an_event_is_explained_without_any_sample() {
    let call = ["--darknet", "samples/darknet", "--sensor", "north", "--from", "2009-03-02"];
    let called = inga(&[&["explain"], &call[..], &["--filter", "445/tcp"]].concat());
    assert_eq!(called.code, 0, "{}", called.stderr);
    assert!(called.stderr.contains("no sample is known"), "{}", called.stderr);
    assert!(called.stdout.contains("an unknown scanner"), "{}", called.stdout);
    assert!(!called.stdout.contains("-0 %"), "{}", called.stdout);
    refused(&inga(&["correlate", "--darknet", "samples/darknet"]), &["no sample to correlate"]);
}
