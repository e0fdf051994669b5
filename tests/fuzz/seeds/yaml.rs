//! YAML of every kind that inga reads: the files that ship, other ways to write the same, and hostile ones.

use super::{Seeds, texts};

/// The files of a folder of the project, by name.
fn files(folder: &str) -> Seeds {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "yaml"))
        .map(|entry| ("a file that ships", std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// Texts that are hostile whatever they are read as.
fn hostile() -> Seeds {
    let nested = |open: &str, close: &str, depth: usize| [open.repeat(depth), close.repeat(depth)].concat();
    let laughs: String = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, at| {
        format!("{text}a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 8].join(", "))
    });
    let deep_mapping: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    vec![
        ("nothing", Vec::new()),
        ("a comment alone", b"# nothing\n".to_vec()),
        ("no UTF-8", b"identity: {md5: \xff\xfe}\n".to_vec()),
        ("a byte order mark", "\u{feff}title: x\n".as_bytes().to_vec()),
        ("lists within lists", nested("[", "]", 300).into_bytes()),
        ("mappings within mappings", nested("{a: ", "}", 300).into_bytes()),
        ("never closed", "[".repeat(2_000).into_bytes()),
        ("mappings by indent", deep_mapping.into_bytes()),
        ("aliases of aliases", laughs.into_bytes()),
        ("an alias of itself", b"a: &a [*a]\n".to_vec()),
        ("a merge of itself", b"a: &a {<<: *a}\n".to_vec()),
        ("an unknown alias", b"a: *nobody\n".to_vec()),
        ("a large key", format!("{}: 1\n", "k".repeat(8_000)).into_bytes()),
        ("many keys", (0..500).map(|at| format!("k{at}: {at}\n")).collect::<String>().into_bytes()),
        ("the same key twice", b"title: a\ntitle: b\n".to_vec()),
        ("a complex key", b"? [a, b]\n: c\n".to_vec()),
        ("tags", b"!!binary aGVsbG8=\n--- !!set {a, b}\n--- !<tag:x> y\n".to_vec()),
        ("two documents", b"a: 1\n---\nb: 2\n...\n".to_vec()),
        ("escapes", b"a: \"\\u202e\\U0010ffff\\0\\e[31m\"\n".to_vec()),
        ("tabs", b"a:\n\t- b\n".to_vec()),
    ]
}

fn all(kinds: [Seeds; 3]) -> Seeds {
    kinds.concat()
}

pub(crate) fn reports() -> Seeds {
    let own = texts(&[
        ("little", "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\ncaptures: [run.txt]\n"),
        (
            "flow style",
            "{identity: {md5: a2eaf57c47a118e91a5edf694685eee7}, victims: [192.0.2.1], captures: [run.txt]}\n",
        ),
        (
            "flow style with an expectation",
            "{identity: {md5: a2eaf57c47a118e91a5edf694685eee7}, captures: [a], expect: {windows: 3}}\n",
        ),
        ("capitals", "identity: {md5: A2EAF57C47A118E91A5EDF694685EEE7}\ncaptures: [run.txt]\n"),
        (
            "an end of the document",
            "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\ncaptures: [a]\nexpect: {windows: 1}\n...\n",
        ),
        (
            "a quoted key",
            "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\ncaptures: [a]\n\"expect\": {windows: 1}\n# kept\n",
        ),
        (
            "comments within",
            "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\nexpect:\n  # mine\n  windows: 7\n# kept\ncaptures: [a]\n",
        ),
        (
            "captures elsewhere",
            "identity: {sha1: da39a3ee5e6b4b0d3255bfef95601890afd80709}\ncaptures: [../../etc/passwd, /dev/zero, a\\0b, {path: ., packets_per_second: 1e9}]\n",
        ),
        (
            "an anchor",
            "identity: &i {md5: a2eaf57c47a118e91a5edf694685eee7}\nnames: {a: &n b, c: *n}\ncaptures: [a]\n",
        ),
        (
            "all keys",
            "identity: {sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}\nnames: {Acme: W32.Worm}\nacquired: 2009\ndiscovered: {date: 2009-03, source: Acme}\norigin: honeypot\nvictims: [192.0.2.1, '2001:db8::1']\ndummy_servers: [192.0.2.2]\ncaptures:\n  - {path: run.txt, date: 2009-03-02, packets_per_second: 0.5}\nnotes: |\n  more\nexpect: {windows: 0, types: [], shapes: [], labels: [], ports: [445], transition: sequential, accesses: [], darknet: {verdict: likely, rank: 1, sensor: II}}\n",
        ),
    ]);
    all([own, files("samples/a2eaf57c47a118e91a5edf694685eee7"), hostile()])
}

pub(crate) fn rules() -> Seeds {
    let about = "id: a\ntitle: A\ndescription: d\nstatus: stable\nauthor: me\nreferences: [r]\n";
    let own: Seeds = [
        ("a large pattern", "when: {protocol: TCP, payload: '(a{1000}){1000}'}\n"),
        ("a pattern of Unicode", "when: {protocol: TCP, payload: '\\p{L}{500}\\w{500}'}\n"),
        ("a pattern within patterns", "when: {protocol: UDP, payload: '((((((((a*)*)*)*)*)*)*)*)'}\n"),
        ("no pattern", "when: {protocol: TCP, payload: '['}\n"),
        (
            "dates that are exchanged",
            "valid_from: 2020-01-02\nvalid_to: 2020-01-01\nwhen: {protocol: TCP, payload: a}\n",
        ),
        ("all packets", "class: scan\nwhen: {}\n"),
        (
            "wide ranges",
            "class: scan\nwhen: {packets: 0-18446744073709551615, destinations: 5+, ports: [0, 65535]}\n",
        ),
    ]
    .into_iter()
    .map(|(name, rest)| (name, format!("{about}{rest}").into_bytes()))
    .collect();
    let profile = "name: p\nwindow_seconds: 86400\nexact_counts_max: 4294967296\nports_listed_max: 18446744073709551615\nfacets_max: 1\nephemeral_port_min: 0\nprobes_per_window_max: 1073741824\ntrace_packets_max: 18446744073709551615\nopen_windows_max: 1073741824\n";
    let own = [own, texts(&[("a profile of the largest numbers", profile)])].concat();
    all([own, files("rules"), hostile()])
}

pub(crate) fn scenarios() -> Seeds {
    let with = |sensors: &str, rest: &str| {
        format!("title: t\nfirst: 2020-01-01\nlast: 2020-01-02\nsensors: [{sensors}]\n{rest}")
    };
    let sensor = "{name: s, kind: dark, prefixes: [203.0.113.0/24]}";
    let family = |targets: &str, population: &str| {
        format!(
            "families: [{{name: f, targets: {targets}, probes: [{{protocol: TCP, ports: [23]}}], rate: 5, population: {population}}}]\n"
        )
    };
    let few = "{growth: [{hosts: 2, from: 2020-01-01}]}";
    let stray = |addresses: &str| {
        format!(
            "background: {{stray: [{{name: p, addresses: {addresses}, hosts_per_address_day: 1, probes: [{{protocol: UDP, ports: [53]}}]}}]}}\n"
        )
    };
    let own = vec![
        ("small", with(sensor, &family("{uniform: {}}", few)).into_bytes()),
        (
            "a sweep",
            with(sensor, &family("{sequential: {block: 24, threads: 4, passes: 2, start: random}}", few))
                .into_bytes(),
        ),
        (
            "a list",
            with(sensor, &family("{hit_list: {addresses: [203.0.113.5, '203.0.113.8/30']}}", few))
                .into_bytes(),
        ),
        (
            "a sensor of half the Internet",
            with("{name: s, kind: dark, prefixes: [128.0.0.0/1]}", &family("{uniform: {}}", few))
                .into_bytes(),
        ),
        ("a sensor of all of IPv6", with("{name: s, kind: dark, prefixes: ['::/0']}", "").into_bytes()),
        (
            "a list of half the Internet",
            with(sensor, &family("{hit_list: {addresses: [0.0.0.0/1]}}", few)).into_bytes(),
        ),
        ("stray packets to 4e9 addresses", with(sensor, &stray("4294967296")).into_bytes()),
        ("stray packets to more", with(sensor, &stray("18446744073709551615")).into_bytes()),
        (
            "endless hosts",
            with(sensor, &family("{uniform: {}}", "{growth: [{hosts: 1e308, from: 2020-01-01}]}"))
                .into_bytes(),
        ),
        (
            "no number of hosts",
            with(sensor, &family("{uniform: {}}", "{growth: [{hosts: .nan, from: 2020-01-01}]}"))
                .into_bytes(),
        ),
        (
            "a time zone of nowhere",
            with("{name: s, kind: dark, prefixes: [203.0.113.0/24], time_zone: ../../etc/passwd}", "")
                .into_bytes(),
        ),
        (
            "many threads",
            with(sensor, &family("{sequential: {block: 0, threads: 4294967295, passes: 4294967295}}", few))
                .into_bytes(),
        ),
    ];
    all([own, files("samples/scenarios"), hostile()])
}

pub(crate) fn sensors() -> Seeds {
    let own = texts(&[
        ("one", "sensors: [{name: II, kind: dark, prefixes: [203.0.113.0/24], time_zone: Asia/Tokyo}]\n"),
        (
            "outages",
            "sensors: [{name: II, kind: mixed, prefixes: [203.0.113.0/24], live: [203.0.113.0/25], outages: [{first: 2009-02-27, last: 2009-03-09, reason: loss}, {first: 9999-01-01, last: 0001-01-01, reason: x}]}]\n",
        ),
        (
            "one twice",
            "sensors: [{name: a, kind: dark, prefixes: [203.0.113.0/24]}, {name: a, kind: dark, prefixes: [203.0.113.0/24]}]\n",
        ),
        ("a name that is a path", "sensors: [{name: ../a, kind: dark, prefixes: [203.0.113.0/24]}]\n"),
        (
            "a sensor of everything",
            "sensors: [{name: a, kind: subnet, prefixes: [0.0.0.0/0, '::/0'], live: ['::/1', '8000::/1']}]\n",
        ),
        (
            "an outage of all time",
            "sensors: [{name: a, kind: dark, prefixes: [203.0.113.0/24], outages: [{first: 0001-01-01, last: 9999-12-31, reason: x}]}]\n",
        ),
    ]);
    all([own, files("samples/darknet"), hostile()])
}

pub(crate) fn events() -> Seeds {
    let own = texts(&[
        (
            "two",
            "- {date: 2009-03-02, label: a vendor tells of it}\n- date: 2009-03-10\n  label: \"hosts \\u202e switch\"\n",
        ),
        ("flow style", "[{date: 2009-03-02, label: a}]\n"),
        ("no day", "- {date: 2009-02-30, label: a}\n"),
        (
            "a report",
            "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\ndiscovered: {date: 2009-03}\nacquired: 2009\ncaptures: [x]\n",
        ),
    ]);
    all([own, hostile(), Vec::new()])
}
