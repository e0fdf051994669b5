//! Months put together: the same answers, late captures, what is kept when sightings are dropped, damage.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{arg, inga};

/// Captures of a sensor of the shipped darknet, fed in this order.
const MONTHS: [&str; 6] = ["2008-11", "2008-12", "2009-02", "2009-03", "2009-04", "2009-01"];

fn history(folder: &Path, name: &str) -> String {
    let db = arg(&folder.join(name)).to_owned();
    let add =
        ["sensor", "add", "north", "--db", &db, "--prefix", "203.0.113.0/24", "--time-zone", "Asia/Tokyo"];
    assert_eq!(inga(&add).code, 0);
    db
}

fn feed(db: &str, months: &[&str]) {
    for month in months {
        let capture = format!("samples/darknet/north/{month}.pcap.zst");
        let fed = inga(&["observe", "--sensor", "north", "--db", db, &capture]);
        assert_eq!(fed.code, 0, "{}", fed.stderr);
    }
}

fn called(args: &[&str]) -> String {
    let called = inga(args);
    assert_eq!(called.code, 0, "{args:?}: {}", called.stderr);
    called.stdout
}

/// All that can be asked of its sightings, as text.
fn answers(db: &str) -> Vec<String> {
    let sightings = "SELECT * FROM sightings ORDER BY sensor, day, type, facet, host";
    let observation = "SELECT * FROM observation ORDER BY sensor, day, type";
    let host = "SELECT host FROM sightings GROUP BY host ORDER BY count(*) DESC, host LIMIT 1";
    let hosts = inga(&["sql", "--db", db, "--format", "json", host]).json();
    let host = hosts[0]["host"].as_str().unwrap().to_owned();
    let types = "SELECT type, sensor FROM observation GROUP BY type ORDER BY sum(windows), type";
    let types = inga(&["sql", "--db", db, "--format", "json", types]).json();
    // Types that were seen once, and often.
    let tile = |row: &Value| {
        let of = |name: &str| row[name].as_str().unwrap().to_owned();
        called(&["tile", "--type", &of("type"), "--sensor", &of("sensor"), "--db", db])
    };
    let tiles = types.iter().take(9).chain(types.iter().rev().take(9)).map(tile);
    vec![
        tiles.collect::<Vec<_>>().concat(),
        called(&["sql", "--db", db, sightings]),
        called(&["sql", "--db", db, observation]),
        called(&["series", "--db", db, "--of", "445/tcp", "--by", "week", "--format", "csv"]),
        called(&["series", "--db", db, "--by", "all", "--source", "100.64.0.0/20", "--format", "csv"]),
        called(&["series", "--db", db, "--format", "csv"]),
        called(&["host", &host, "--db", db]),
        called(&["host", "100.127.255.254", "--db", db]),
    ]
}

fn count(db: &str, sql: &str) -> i64 {
    let rows = inga(&["sql", "--db", db, "--format", "json", sql]).json();
    rows[0].as_object().unwrap().values().next().and_then(Value::as_i64).unwrap()
}

#[test]
fn months_put_together_answer_as_the_days_did() {
    let folder = TempDir::new().unwrap();
    let (days, months) = (history(folder.path(), "days.db"), history(folder.path(), "months.db"));
    feed(&days, &MONTHS);
    let expected = answers(&days);
    assert!(expected[1].lines().count() > 1000, "{}", expected[1]);

    // January comes when the months about it are put together, and lies beside nothing, then in a month of its own.
    feed(&months, &MONTHS[..5]);
    called(&["history", "compact", "--db", &months]);
    // The last hours of a month are the first day of the next one in Tokyo.
    assert_eq!(count(&months, "SELECT count(*) FROM month"), 6, "May goes on");
    feed(&months, &MONTHS[5..]);
    assert_eq!(answers(&months), expected);
    called(&["history", "compact", "--all", "--db", &months]);
    assert_eq!(count(&months, "SELECT count(*) FROM month"), 7);
    assert_eq!(answers(&months), expected);
    assert!(called(&["history", "verify", "--db", &months]).contains("all as it was written"));
    let again = called(&["history", "compact", "--all", "--db", &months]);
    assert!(again.starts_with("0 days and 0 months"), "{again}");
}

/// A part of a month comes when that month is put together: both count, before and after the next time.
#[test]
fn a_late_capture_lies_beside_its_month() {
    let folder = TempDir::new().unwrap();
    let (days, months) = (history(folder.path(), "days.db"), history(folder.path(), "months.db"));
    let south = "samples/darknet/south/2009-03.pcap.zst";
    // South's packets go to other addresses: as those of a sensor that has both they are a late part of March.
    for db in [&days, &months] {
        let add = [
            "sensor",
            "add",
            "both",
            "--db",
            db,
            "--prefix",
            "203.0.113.0/24",
            "--prefix",
            "198.51.100.0/24",
        ];
        assert_eq!(inga(&add).code, 0);
        called(&["observe", "--sensor", "both", "--db", db, "samples/darknet/north/2009-03.pcap.zst"]);
    }
    called(&["history", "compact", "--all", "--db", &months]);
    for db in [&days, &months] {
        called(&["observe", "--sensor", "both", "--db", db, south]);
    }
    let expected = answers(&days);
    assert_eq!(answers(&months), expected);
    called(&["history", "compact", "--all", "--db", &months]);
    assert_eq!(answers(&months), expected);
    assert!(called(&["history", "verify", "--db", &months]).contains("all as it was written"));
}

#[test]
fn dropped_sightings_leave_the_observations() {
    let folder = TempDir::new().unwrap();
    let db = history(folder.path(), "a.db");
    feed(&db, &MONTHS[1..5]);
    let observation = "SELECT * FROM observation ORDER BY day, type";
    let before = called(&["sql", "--db", &db, observation]);
    let days = called(&["series", "--db", &db, "--format", "csv"]);
    let since = ["series", "--db", &db, "--of", "445/tcp", "--from", "2009-03-01", "--format", "csv"];
    let kept = called(&since);
    let told = called(&["history", "retain", "--from", "2009-03-15", "--db", &db]);
    assert!(told.starts_with("sightings of 3 months of sensors dropped"), "{told}");

    assert_eq!(called(&["sql", "--db", &db, observation]), before);
    assert_eq!(called(&["series", "--db", &db, "--format", "csv"]), days);
    assert_eq!(called(&since), kept);
    let several = inga(&["series", "--db", &db, "--of", "445/tcp"]);
    assert!(
        several.code == 2 && several.stderr.contains("before 2009-03-01 were dropped"),
        "{}",
        several.stderr
    );
    let late = inga(&["observe", "--sensor", "north", "--db", &db, "samples/darknet/north/2009-01.pcap.zst"]);
    assert!(late.code == 2 && late.stderr.contains("were dropped"), "{}", late.stderr);
    assert!(called(&["history", "verify", "--db", &db]).contains("all as it was written"));
    assert!(
        called(&["history", "retain", "--from", "2009-03-15", "--db", &db])
            .starts_with("sightings of 0 months")
    );
}

#[test]
fn a_flipped_bit_in_a_month_is_found() {
    let folder = TempDir::new().unwrap();
    let db = history(folder.path(), "a.db");
    feed(&db, &["2009-03"]);
    called(&["history", "compact", "--all", "--db", &db]);
    let connection = rusqlite::Connection::open(&db).unwrap();
    for (table, column) in [
        ("month", "starts"),
        ("cell", "cells"),
        ("seen", "hosts"),
        ("seen", "details"),
        ("host", "hosts"),
        ("example", "examples"),
    ] {
        let bytes = format!("SELECT {column} FROM {table} ORDER BY rowid LIMIT 1");
        let whole: Vec<u8> = connection.query_row(&bytes, [], |row| row.get(0)).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        let write =
            format!("UPDATE {table} SET {column} = ?1 WHERE rowid = (SELECT min(rowid) FROM {table})");
        connection.execute(&write, [&flipped]).unwrap();
        let found = inga(&["history", "verify", "--db", &db]);
        assert_eq!(found.code, 1, "{table}.{column}: {}{}", found.stdout, found.stderr);
        connection.execute(&write, [&whole]).unwrap();
    }
    assert_eq!(inga(&["history", "verify", "--db", &db]).code, 0);
}
