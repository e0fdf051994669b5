//! Tests of the command line's grammar.

use super::{Cli, parse};

const ID: &str = "95f82c624a74270852e9ce6958d1247e";

fn parsed(line: &str) -> Result<Cli, String> {
    parse(line.split_whitespace().map(Into::into)).map_err(|error| format!("{line}: {error}"))
}

#[test]
fn earlier_spellings_still_work() {
    let family = format!("series --of family:{ID}");
    let pattern = format!("series --filter pattern:{ID}");
    let pairs: [(&str, &str); 12] = [
        ("kinds", "types"),
        ("types --ground reader", "types --theme auto"),
        ("host 192.0.2.1 --ground dark", "host 192.0.2.1 --theme dark"),
        ("series --of 445/tcp --panels of", "series --filter 445/tcp --panels filter"),
        (&family, &pattern),
        ("series --step hour", "series --by hour"),
        (
            "cohort --from 445/tcp --to 23/tcp --around 2009-03-10",
            "cohort --before 445/tcp --after 23/tcp --around 2009-03-10",
        ),
        (
            "explain --sensor II --day 2009-03-10 --of 445/tcp",
            "explain --sensor II --from 2009-03-10 --filter 445/tcp",
        ),
        ("surges --q 0.001", "surges --q-max 0.001"),
        ("fingerprint a.pcap --dark 192.0.2.0/24", "fingerprint a.pcap --prefix 192.0.2.0/24"),
        ("simulate a.yaml --out made", "simulate a.yaml --output made"),
        ("history merge a b --into c", "history merge a b --output c"),
    ];
    for (earlier, now) in pairs {
        let parsed = |line: &str| format!("{:?}", parsed(&format!("inga {line}")).unwrap());
        assert_eq!(parsed(earlier), parsed(now));
    }
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let refused = [
        "project report.yaml --prefix 192.0.2.0/24 --darknet samples/darknet",
        "project report.yaml --prefix 192.0.2.0/24 --sensor II",
        "tile --at 2009-03-10T12:00:00Z",
        "tile a.pcap --host 192.0.2.1 --sensor II",
        "explain --surges --from 2009-03-10",
        "fingerprint a.pcap --summary --victim auto",
    ];
    for line in refused {
        assert!(parsed(&format!("inga {line}")).is_err(), "{line} is accepted");
    }
}

#[test]
fn commands_that_ask_a_history_leave_it_to_the_environment() {
    // The variable INGA_HISTORY names the history, which is checked when the command runs.
    let tile = format!("tile --type {ID} --sensor II");
    for line in [tile.as_str(), "project report.yaml --sensor II"] {
        parsed(&format!("inga {line}")).unwrap();
    }
}
