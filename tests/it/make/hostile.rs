//! Hostile YAML and names, as strategies of proptest: what an attacker puts into a file that a person hands to inga, and
//! what an attacker calls it.

use std::ffi::OsString;

use proptest::prelude::*;

/// Characters that hide, reorder or control what is shown: controls, joiners, directions, annotations, tags.
pub(crate) const UNSHOWABLE: [char; 24] = [
    '\u{1}',
    '\u{7}',
    '\u{8}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200e}',
    '\u{202a}',
    '\u{202e}',
    '\u{2028}',
    '\u{2066}',
    '\u{2069}',
    '\u{feff}',
    '\u{fff9}',
    '\u{ffff}',
    '\u{e0041}',
];

/// A word that is usual, empty, long, or of characters that should not reach a terminal as they are.
fn word() -> impl Strategy<Value = String> {
    let odd = prop::collection::vec(prop::sample::select(&UNSHOWABLE[..]), 1..4);
    prop_oneof![
        4 => "[a-z][a-z0-9_-]{0,8}",
        1 => Just(String::new()),
        1 => "[ -~]{1,12}",
        1 => "\\PC{1,8}",
        1 => (300usize..3_000).prop_map(|length| "k".repeat(length)),
        2 => odd.prop_map(|odd| odd.into_iter().collect()),
    ]
}

/// A scalar as somebody writes it: plain, quoted, a number at an end of its range, a date, a tag in front.
fn scalar() -> impl Strategy<Value = String> {
    const NUMBERS: [&str; 24] = [
        "0",
        "-0",
        "1e999",
        "-1e999",
        ".inf",
        "-.inf",
        ".nan",
        "0x7fffffffffffffff",
        "0o777",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e-400",
        "0.1e+308",
        "00012",
        "1_000",
        "null",
        "~",
        "true",
        "no",
        "2009-02-30",
        "9999-12-31",
        "-0001-01-01",
        "!!binary aGVsbG8=",
    ];
    prop_oneof![
        3 => prop::sample::select(&NUMBERS[..]).prop_map(str::to_owned),
        2 => word().prop_map(|word| quoted(&word)),
        2 => "[a-z0-9./*-]{1,12}",
        1 => "[a-z]{1,8}".prop_map(|word| format!("!<tag:{word}> {word}")),
        1 => word().prop_map(|word| format!("'{}'", word.replace('\'', "''").replace(['\n', '\r'], " "))),
    ]
}

/// In double quotes, with escapes.
fn quoted(word: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\U{:08x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", word.chars().map(escaped).collect::<String>())
}

/// A value in flow style, which stands wherever a value can: nested, wide, with anchors, aliases and merges.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => scalar(),
        1 => Just("*a".to_owned()),
        1 => scalar().prop_map(|scalar| format!("&a {scalar}")),
    ];
    let tree = leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(", "))),
            3 => prop::collection::vec((word(), inner.clone()), 0..6).prop_map(|items| {
                let entries = items.iter().map(|(key, value)| format!("{}: {value}", quoted(key)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }),
            1 => inner.clone().prop_map(|value| format!("&a [{value}, *a]")),
            1 => inner.prop_map(|value| format!("{{<<: *a, x: {value}}}")),
        ]
    });
    prop_oneof![
        8 => tree,
        1 => (2usize..3_000).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (2usize..800).prop_map(|depth| format!("{}x{}", "{a: ".repeat(depth), "}".repeat(depth))),
        1 => (2usize..3_000).prop_map(|depth| "[".repeat(depth)),
        1 => (2usize..4_000).prop_map(|width| format!("[{}]", vec!["1"; width].join(","))),
        1 => (2usize..9, 2usize..9).prop_map(|(depth, width)| laughs(depth, width)),
    ]
}

/// A list that is `width` times the one before it, `depth` times over.
fn laughs(depth: usize, width: usize) -> String {
    let first = format!("&l0 [{}]", vec!["x"; width].join(", "));
    let more = (1..depth).map(|at| format!("&l{at} [{}]", vec![format!("*l{}", at - 1); width].join(", ")));
    format!("[{}]", std::iter::once(first).chain(more).collect::<Vec<_>>().join(", "))
}

/// A document that is hostile as a whole.
pub(crate) fn document() -> impl Strategy<Value = String> {
    let entries = prop::collection::vec((word(), value()), 0..12).prop_map(|entries| {
        entries.iter().map(|(key, value)| format!("{}: {value}\n", quoted(key))).collect::<String>()
    });
    let indents =
        (2usize..600).prop_map(|depth| (0..depth).map(|at| format!("{}a:\n", " ".repeat(at))).collect());
    let list = (2usize..2_000).prop_map(|depth| format!("{}x\n", "- ".repeat(depth)));
    prop_oneof![5 => entries, 1 => indents, 1 => list, 1 => value(), 1 => "\\PC{0,80}"]
}

/// A document of the right schema but for some values that are replaced, removed or doubled: it gets past the first look.
pub(crate) fn altered(documents: Vec<String>) -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0u8..4, value());
    (prop::sample::select(documents), prop::collection::vec(change, 1..4)).prop_map(|(document, changes)| {
        let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
        for (at, how, value) in changes {
            if lines.is_empty() {
                break;
            }
            let at = at.index(lines.len());
            match (how, lines[at].split_once(": ")) {
                (0, _) => drop(lines.remove(at)),
                (1, _) => lines.insert(at, lines[at].clone()),
                (_, Some((key, _))) => lines[at] = format!("{key}: {value}"),
                (_, None) => lines.insert(at, format!("extra: {value}")),
            }
        }
        lines.join("\n") + "\n"
    })
}

/// A file's name as Linux allows it: any bytes but `/` and NUL, at most 255.
pub(crate) fn name() -> impl Strategy<Value = OsString> {
    use std::os::unix::ffi::OsStringExt;
    const TRICKS: [&str; 18] = [
        "-o", "--help", "-", "~", "*", "$(id)", "`id`", "a;b", "a b", "...", ".hidden", "CON", "nul.pcap",
        "a:b", "a\\b", "C:\\a", "<script>", "\"'&",
    ];
    let odd = (word(), prop::sample::select(&UNSHOWABLE[..]), word())
        .prop_map(|(before, odd, after)| format!("{before}{odd}{after}").into_bytes());
    let bytes = prop::collection::vec(any::<u8>(), 1..20);
    prop_oneof![
        2 => prop::sample::select(&TRICKS[..]).prop_map(|trick| trick.as_bytes().to_vec()),
        4 => odd,
        2 => bytes,
        1 => Just(vec![b'n'; 255]),
        1 => Just("\u{202e}pacp.\u{2066}exe".as_bytes().to_vec()),
    ]
    .prop_map(|mut bytes| {
        bytes.retain(|byte| *byte != b'/' && *byte != 0);
        bytes.truncate(255);
        if matches!(bytes.as_slice(), b"" | b"." | b"..") {
            bytes = b"plain".to_vec();
        }
        OsString::from_vec(bytes)
    })
}

/// The name of a member of an archive, or a path in a report: one that leads elsewhere, or only looks as if.
pub(crate) fn path() -> impl Strategy<Value = String> {
    const PARTS: [&str; 12] =
        ["..", ".", "", "a", "run.pcap", "etc", "dev", "zero", "\u{202e}", "C:", "con", "a\\..\\b"];
    (
        prop::bool::ANY,
        prop::collection::vec(
            prop_oneof![3 => prop::sample::select(&PARTS[..]).prop_map(str::to_owned), 1 => word()],
            1..6,
        ),
    )
        .prop_map(|(is_absolute, parts)| {
            format!("{}{}", if is_absolute { "/" } else { "" }, parts.join("/").replace('\0', ""))
        })
}
