//! The operator's page: every page answers, nothing that others wrote becomes markup, forms need their token, tables
//! sort, page and export, and a browser walks through it (`tests/page/walk.py`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::command::{arg, inga};

/// What a sample's author, a sandbox or an operator may write.
const EVIL: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";

/// A history with two families, of which one breaks out, and texts that would be markup.
pub(crate) static HISTORY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let two = folder.path().join("two");
    let run = |args: &[&str]| {
        let called = inga(args);
        assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
    };
    run(&["simulate", "samples/scenarios/two-families.yaml", "--format", "sightings", "-o", arg(&two)]);
    let history = two.join("history");
    let outage = ["--from", "2020-01-05", "--to", "2020-01-05", "--reason", EVIL];
    run(&[&["sensor", "outage", "south", "--history", arg(&history)], outage.as_slice()].concat());
    let report = folder.path().join("report.yaml");
    std::fs::copy("samples/two-ports-at-once/run.pcap", folder.path().join("run.pcap")).unwrap();
    let text = format!(
        "identity: {{md5: 00112233445566778899aabbccddeeff}}\nfamily: {}\nnames: {{Acme: {}}}\norigin: {}\ncaptures: [run.pcap]\n",
        inga::escape::yaml(&EVIL.replace('/', "")),
        inga::escape::yaml(EVIL),
        inga::escape::yaml(EVIL)
    );
    std::fs::write(&report, text).unwrap();
    run(&["sample", "add", arg(&report), "--history", arg(&history)]);
    run(&["incident", "update", "--history", arg(&history)]);
    (folder, history)
});

/// A copy of the history, which a test may change.
pub(crate) fn copied_history() -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in walkdir::WalkDir::new(&HISTORY.1) {
        let entry = entry.unwrap();
        let to = folder.path().join(entry.path().strip_prefix(&HISTORY.1).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(to).unwrap();
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
    folder
}

/// A running server.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: String,
}

/// A response: its status, its head in lower case, and its body.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Served {
    pub(crate) fn new(history: &Path) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_inga"))
            .args(["serve", "--history", arg(history), "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        assert!(address.is_some(), "no address in {line}");
        let address = address.unwrap().to_owned();
        Served { child, address }
    }

    fn send(&self, request: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Response { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.get_with(path, "")
    }

    fn get_with(&self, path: &str, headers: &str) -> Response {
        let host = &self.address;
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
    }

    fn post(&self, path: &str, cookie: &str, body: &str) -> Response {
        let (host, length) = (&self.address, body.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses of this server in the links of a page.
fn links(page: &str) -> Vec<String> {
    let quoted = page.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let own = quoted.filter(|link| link.starts_with('/') && !link.starts_with("/theme"));
    own.map(|link| link.replace("&#38;", "&").split('#').next().unwrap().to_owned()).collect()
}

#[test]
fn every_page_that_a_link_leads_to_answers_and_is_safe() {
    let served = Served::new(&HISTORY.1);
    let mut found = vec!["/".to_owned(), "/help".to_owned(), "/search?q=W32".to_owned()];
    let (mut at, mut evil) = (0, 0);
    while at < found.len() && at < 250 {
        let path = found[at].clone();
        at += 1;
        if path.starts_with("/api/v1/correlate") || path.starts_with("/verdicts") {
            continue; // Correlating takes long without optimization; other tests do it.
        }
        let response = served.get(&path);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy",
        ] {
            assert!(response.head.contains(part), "{path}: {part} is missing in {}", response.head);
        }
        if !response.head.contains("content-type: text/html") {
            continue;
        }
        assert!(!response.head.contains("unsafe-inline"), "{path}: {}", response.head);
        let page = &response.body;
        for markup in ["<script>", "<img", " style=", " onclick", "<style"] {
            assert!(!page.contains(markup), "{path} has {markup}");
        }
        assert!(page.contains("<h1>"), "{path}");
        evil += usize::from(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
        // Kinds of pages are visited a few times each.
        for link in links(page) {
            let kind = |link: &str| link.split(['/', '?']).nth(1).unwrap_or("").to_owned();
            let of_kind = found.iter().filter(|known| kind(known) == kind(&link)).count();
            if !found.contains(&link) && of_kind < 12 {
                found.push(link);
            }
        }
    }
    assert!(at > 60, "{at} pages");
    assert!(evil > 3, "the texts of others are shown on {evil} pages");
}

#[test]
fn searches_lead_to_the_one_thing_meant() {
    let served = Served::new(&HISTORY.1);
    let location = |query: &str| {
        let response = served.get(&format!("/search?q={query}"));
        assert_eq!(response.status, 303, "{query}: {}", response.body);
        let line = response.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();
        assert_eq!(served.get(&line).status, 200, "{query} leads to {line}");
        line
    };
    assert_eq!(location("192.0.2.1"), "/hosts/192.0.2.1");
    assert_eq!(location("192.0.2.77%2F24"), "/prefixes/192.0.2.0/24");
    assert_eq!(location("445%2Ftcp"), "/ports/445/tcp");
    assert_eq!(location("icmp"), "/protocols/icmp");
    assert_eq!(location("2020-02-11"), "/?to=2020-02-11");
    assert_eq!(location("NORTH"), "/sensors/north");
    assert_eq!(location("%231"), "/incidents/1");
    assert_eq!(location("00112233445566778899aabbccddeeff"), "/samples/00112233445566778899aabbccddeeff");
    assert_eq!(location("W32.Younger").split('/').nth(1), Some("samples"));
    let several = served.get("/search?q=W32");
    assert!(several.body.contains("W32.Younger") && several.body.contains("W32.Elder"), "{}", several.body);
    assert!(served.get("/search?q=%3Cb%3E").body.contains("&#60;b&#62;"));
}

#[test]
fn tables_sort_page_and_export_by_address() {
    let served = Served::new(&HISTORY.1);
    let export = served.get("/ports/445/tcp?export=hosts");
    assert!(export.head.contains("text/csv") && export.head.contains("attachment"), "{}", export.head);
    let hosts: Vec<&str> = export.body.lines().skip(1).collect();
    assert!(hosts.len() > 100, "{}", hosts.len());
    let sorted = served.get("/ports/445/tcp?export=hosts&hosts.sort=-packets");
    let packets: Vec<u64> =
        sorted.body.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(packets.is_sorted_by(|a, b| a >= b) && packets.first() > packets.last());
    let second = served.get("/ports/445/tcp?hosts.sort=-packets&hosts.page=2");
    let expected = sorted.body.lines().nth(26).and_then(|line| line.split(',').next()).unwrap();
    assert!(second.body.contains(&format!("/hosts/{expected}\"")), "{expected} is the first of page 2");
    let json = served.get("/api/v1/series?filter=445/tcp&sensor=north&from=2020-02-01");
    assert!(
        json.head.contains("application/x-ndjson") && json.body.starts_with("{\"schema\""),
        "{}",
        json.body
    );
    let picture = served.get("/api/v1/series?filter=445/tcp&format=svg");
    assert!(picture.head.contains("image/svg+xml"));
    roxmltree::Document::parse(&picture.body).unwrap();
}

#[test]
fn errors_are_pages_that_say_what_to_do() {
    let served = Served::new(&HISTORY.1);
    let cases = [
        ("/nothing", 404, "There is no page"),
        ("/hosts/300.1.1.1", 404, "no address"),
        ("/ports/70000/tcp", 404, "no port"),
        ("/types/abc", 404, "no behavior type"),
        ("/incidents/99", 404, "no incident 99"),
        ("/sensors/west", 404, "no sensor"),
        ("/?to=yesterday", 400, "no date like"),
        ("/ports/445/tcp?from=2020-03-01&to=2020-02-01", 400, "ends before"),
        ("/theme?set=pink", 400, "light or dark"),
    ];
    for (path, status, words) in cases {
        let response = served.get(path);
        assert_eq!(response.status, status, "{path}: {}", response.body);
        assert!(response.body.contains(words) && response.body.contains("<h1>"), "{path}: {}", response.body);
    }
    let away = served.get("/theme?set=dark&back=//evil.example/");
    assert!(away.head.contains("location: /\r\n"), "{}", away.head);
}

#[test]
fn requests_from_elsewhere_are_refused() {
    let history = copied_history();
    let served = Served::new(history.path());
    // Another name that leads to this machine.
    let rebound = served.send("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(rebound.status, 421);
    let large = served.get_with("/", &format!("X-Filler: {}\r\n", "a".repeat(70_000)));
    assert!((400..500).contains(&large.status), "{}", large.status);
    // A form without the token, with a foreign one, and with its own.
    let page = served.get("/incidents/1");
    let cookie =
        page.head.split("set-cookie: ").nth(1).and_then(|rest| rest.split(';').next()).unwrap().to_owned();
    let token =
        page.body.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    for wrong in ["do=closed", &format!("do=closed&token={}", "0".repeat(64))] {
        let refused = served.post("/incidents/1", &cookie, wrong);
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    assert_eq!(served.post("/incidents/1", "", &format!("do=closed&token={token}")).status, 403);
    let too_long = format!("do=note&token={token}&note={}", "a".repeat(11_000));
    assert_eq!(served.post("/incidents/1", &cookie, &too_long).status, 400);
    let cookie = cookie.replace("; ", "");
    let accepted = served.post("/incidents/1", &cookie, &format!("do=note&token={token}&note=%3Cb%3Enight"));
    assert_eq!(accepted.status, 303, "{}", accepted.body);
    assert!(served.get("/incidents/1").body.contains("&#60;b&#62;night"));
    let shown = inga(&["incident", "show", "1", "--history", arg(history.path())]).stdout;
    assert!(shown.contains("<b>night"), "{shown}");
}

#[test]
fn it_listens_on_loopback_alone_and_ends_on_a_signal() {
    let refused = inga(&["serve", "--history", arg(&HISTORY.1), "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("can be reached from other machines"), "{}", refused.stderr);
    assert_eq!(inga(&["serve", "--history", "/nowhere"]).code, 2);
    let mut served = Served::new(&HISTORY.1);
    assert_eq!(served.get("/").status, 200);
    let process = served.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

/// In CI a browser is required; elsewhere the walk is left out if there is none.
#[test]
fn a_browser_walks_through_it() {
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let has_browser = Command::new("chromium").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has_browser && !is_ci {
        return;
    }
    let history = copied_history();
    let served = Served::new(history.path());
    let walked = Command::new("python3")
        .args(["tests/page/walk.py", &format!("http://{}", served.address)])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&walked.stderr).into_owned();
    assert!(walked.status.success(), "{said}");
}

#[test]
fn the_state_of_a_watched_sensor_is_what_watch_decided() {
    use inga::incident::{HealthCondition, SensorHealth};
    use inga::packet::Timestamp;
    use inga::rules::Rules;
    use inga::store::{IncidentStore, LocalStore};

    let folder = copied_history();
    let mut store = LocalStore::open_to_write(folder.path(), &Rules::shipped().unwrap().profile).unwrap();
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let health = |at: i64| SensorHealth {
        sensor: "north".to_owned(),
        at: Timestamp(at),
        last_packet: Some(Timestamp(at)),
        lag_seconds: Some(1.0),
        loss: None,
        packets: 7,
        open_windows: Some(5),
        segments: Some(9),
        conditions: vec![HealthCondition::Unreadable],
        error: Some("broken.pcap: cut".to_owned()),
    };
    // What was decided an hour ago says nothing: the process may have ended since.
    store.put_sensor_healths(&[health(now - 3_600_000_000_000)]).unwrap();
    let served = Served::new(folder.path());
    let page = served.get("/").body;
    assert!(page.contains("recorded to the end") && !page.contains("captures not readable"), "{page}");
    store.put_sensor_healths(&[health(now)]).unwrap();
    assert!(served.get("/").body.contains("captures not readable"));
    assert!(served.get("/sensors/north").body.contains("captures not readable"));
    let metrics = served.get("/metrics").body;
    for line in ["inga_open_windows{sensor=\"north\"} 5", "inga_segments{sensor=\"north\"} 9"] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
}
