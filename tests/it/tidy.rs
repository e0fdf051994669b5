//! The house rules that a compiler does not check: floors, first lines, lengths, what the documents say.

use std::path::{Path, PathBuf};

/// Which rooms a room may name. What is not listed may not be named.
const FLOORS: [(&str, &[&str]); 17] = [
    ("escape", &[]),
    ("packet", &[]),
    ("yaml", &["escape"]),
    ("behavior", &["packet"]),
    ("history", &["packet", "behavior"]),
    ("incident", &["packet", "behavior", "history"]),
    ("rules", &["packet", "behavior", "yaml"]),
    ("sample", &["escape", "packet", "behavior", "history", "yaml"]),
    ("analysis", &["escape", "packet", "behavior", "history", "rules", "sample"]),
    ("correlate", &["escape", "packet", "behavior", "history", "sample", "analysis"]),
    ("simulate", &["escape", "packet", "behavior", "history", "rules", "sample", "yaml"]),
    (
        "render",
        &["escape", "packet", "behavior", "history", "incident", "rules", "sample", "analysis", "correlate"],
    ),
    ("capture", &["escape", "packet"]),
    ("store", &["escape", "packet", "behavior", "history", "incident", "sample"]),
    (
        "app",
        &[
            "escape",
            "packet",
            "behavior",
            "history",
            "incident",
            "rules",
            "sample",
            "yaml",
            "analysis",
            "correlate",
            "simulate",
            "capture",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "escape",
            "packet",
            "behavior",
            "history",
            "incident",
            "rules",
            "sample",
            "correlate",
            "capture",
            "render",
            "app",
            "web",
        ],
    ),
    (
        "web",
        &[
            "escape",
            "packet",
            "behavior",
            "history",
            "rules",
            "sample",
            "analysis",
            "correlate",
            "incident",
            "capture",
            "render",
            "app",
        ],
    ),
];
/// Rooms that do no input or output and read no clock and no environment. `render` may write to what it is given.
const PURE: [&str; 12] = [
    "escape",
    "packet",
    "yaml",
    "behavior",
    "history",
    "incident",
    "rules",
    "sample",
    "analysis",
    "correlate",
    "simulate",
    "render",
];
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::net::Tcp",
];
const LINES_MAX: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let files =
        walkdir::WalkDir::new(root().join(folder)).sort_by_file_name().into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.path().strip_prefix(root()).unwrap().to_owned(), text)
        })
        .collect()
}

/// The room of a file below `src/`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap().components().next().unwrap();
    below.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Rooms that a text names: `crate::room`, or a member of a `crate::{…}` group, on however many lines.
fn named(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut rooms = Vec::new();
    for after in code.split("crate::").skip(1) {
        let names = match after.strip_prefix('{') {
            None => vec![after],
            Some(group) => members(group),
        };
        for name in names {
            let is_word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            let word: String = name.trim().chars().take_while(is_word).collect();
            if FLOORS.iter().any(|(room, _)| *room == word) {
                rooms.push(word);
            }
        }
    }
    rooms
}

/// The members of a group of imports, up to the brace that closes it.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                members.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    members
}

fn faults(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let shown = path.display();
    if !text.starts_with("//!") {
        faults.push(format!("{shown}: the first line does not say what lives there"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{shown}: {lines} lines, at most {LINES_MAX}"));
    }
    let room = room(path);
    if let Some((_, allowed)) = FLOORS.iter().find(|(known, _)| *known == room) {
        for named in named(text) {
            if named != room && !allowed.contains(&named.as_str()) {
                faults.push(format!("{shown}: `{room}` names `{named}`, which is not below it"));
            }
        }
    } else if !["lib", "main"].contains(&room.as_str()) {
        faults.push(format!("{shown}: the room `{room}` has no floor"));
    }
    if room == "cli" && text.contains("serde") {
        faults.push(format!("{shown}: `cli` serializes, which is the task of `render`"));
    }
    if PURE.contains(&room.as_str()) {
        let product = text.split("#[cfg(test)]").next().unwrap();
        faults.extend(
            IMPURE
                .iter()
                .filter(|word| product.contains(**word))
                .map(|word| format!("{shown}: `{word}` in a pure room")),
        );
    }
    faults
}

#[test]
fn the_house_is_in_order() {
    let sources = sources("src");
    assert!(sources.len() > 80, "{} files", sources.len());
    let faults: Vec<String> = sources.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_planted_breach_is_found() {
    let check = |path: &str, text: &str, words: &str| {
        let faults = faults(Path::new(path), text);
        assert!(faults.iter().any(|fault| fault.contains(words)), "{path}: {faults:?}");
    };
    check("src/correlate/x.rs", "//! x\nuse crate::store::HistoryStore;\n", "`correlate` names `store`");
    check(
        "src/packet/x.rs",
        "//! x\nuse crate::{packet::{Packet,\n  Clock}, behavior::Engine};\n",
        "`packet` names `behavior`",
    );
    check("src/render/x.rs", "//! x\nfn f() { crate::app::observe::f(); }\n", "`render` names `app`");
    check("src/behavior/x.rs", "//! x\nfn f() { std::fs::read(\"x\"); }\n", "`std::fs` in a pure room");
    check("src/cli/x.rs", "use std::io;\n", "first line");
    check("src/cli/x.rs", &format!("//! x\n{}", "\n".repeat(500)), "501 lines");
    check("src/cli/x.rs", "//! x\nuse serde::Serialize;\n", "`cli` serializes");
    check("src/attic/x.rs", "//! x\n", "no floor");
    let fine = "//! x\n// crate::store is only mentioned\nuse crate::packet::Packet;\n";
    assert_eq!(faults(Path::new("src/behavior/x.rs"), fine), Vec::<String>::new());
}

#[test]
fn tests_say_what_lives_there_too() {
    for (path, text) in sources("tests") {
        assert!(text.starts_with("//!"), "{}", path.display());
        assert!(text.lines().count() <= 600, "{}", path.display());
    }
}

#[test]
fn the_documents_name_every_room_and_every_subcommand() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let architecture = read("src/ARCHITECTURE.md");
    for (room, _) in FLOORS {
        assert!(architecture.contains(&format!("`{room}")), "src/ARCHITECTURE.md does not name `{room}`");
    }
    let readme = read("README.md");
    let commands = inga::cli::command();
    let mut count = 0;
    for command in commands.get_subcommands().map(|command| command.get_name()) {
        count += 1;
        assert!(readme.contains(&format!("inga {command}")), "README.md does not name `inga {command}`");
    }
    assert!(count >= 8, "{count} subcommands");
}

/// What git tracks; a user's own files beside it are the user's business.
#[test]
fn the_top_level_is_as_agreed() {
    let listed = std::process::Command::new("git").arg("ls-files").current_dir(root()).output();
    let Ok(listed) = listed.map(|output| String::from_utf8(output.stdout).unwrap()) else { return };
    let agreed = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "rules",
        "samples",
        "src",
        "tests",
    ];
    for path in listed.lines() {
        let name = path.split('/').next().unwrap().trim_matches('"');
        assert!(name.starts_with('.') || agreed.contains(&name), "{name} at the top level");
    }
}
