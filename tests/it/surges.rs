//! Surges and falls: false alarms as few as claimed on quiet series, what was put in found, outages and backscatter no
//! surges.

use inga::analysis::surge::{Direction, Outcome, Surge, surges, surges_and_falls, tested_day_count};
use jiff::civil::{Date, date};
use tempfile::TempDir;

use crate::command::{arg, inga};
use crate::corpora::corpora;
use crate::make::Random;

const DAYS: usize = 181;
/// Days of a history that has just begun.
const EARLY: usize = 30;

fn day(at: usize) -> Date {
    date(2008, 11, 1).saturating_add(jiff::Span::new().days(i64::try_from(at).unwrap()))
}

fn uniform(random: &mut Random) -> f64 {
    (random.below(1 << 53) as f64 + 0.5) / (1u64 << 53) as f64
}

fn normal(random: &mut Random) -> f64 {
    (-2.0 * uniform(random).ln()).sqrt() * (std::f64::consts::TAU * uniform(random)).cos()
}

/// A Poisson count; above 50 by the normal approximation of its root, whose error is far below the noise.
#[expect(clippy::cast_possible_truncation, reason = "a count, far below 2^52")]
fn poisson(random: &mut Random, mean: f64) -> u64 {
    if mean > 50.0 {
        return (mean.sqrt() + normal(random) / 2.0).powi(2).round() as u64;
    }
    let (mut count, mut left) = (0, uniform(random));
    while left > (-mean).exp() {
        left *= uniform(random);
        count += 1;
    }
    count
}

/// A gamma variate of mean 1 and a whole shape: what makes counts negative binomial.
fn gamma(random: &mut Random, shape: u32) -> f64 {
    (0..shape).map(|_| -uniform(random).ln()).sum::<f64>() / f64::from(shape)
}

/// Series without any surge.
#[derive(Clone, Copy, Debug)]
enum Quiet {
    Poisson(f64),
    Overdispersed(f64, u32),
    Weekly(f64),
    Growing(f64),
    Shrinking(f64),
    /// So many hosts, each of which comes back every day for so many days on average.
    Staying(f64, f64),
}

fn quiet(kind: Quiet, random: &mut Random) -> Vec<(Date, u64)> {
    let mut present = 0;
    let mut count = |at: usize, random: &mut Random| match kind {
        Quiet::Poisson(mean) => poisson(random, mean),
        Quiet::Overdispersed(mean, shape) => {
            let factor = gamma(random, shape);
            poisson(random, mean * factor)
        }
        Quiet::Weekly(mean) => poisson(random, mean * if at % 7 < 2 { 0.5 } else { 1.0 }),
        Quiet::Growing(mean) => poisson(random, mean * (0.005 * at as f64).exp()),
        Quiet::Shrinking(mean) => poisson(random, mean * (-0.005 * at as f64).exp()),
        Quiet::Staying(mean, stay) => {
            let stayed = (0..present).filter(|_| uniform(random) > 1.0 / stay).count() as u64;
            present = stayed + poisson(random, if at == 0 { mean } else { mean / stay });
            present
        }
    };
    (0..DAYS).map(|at| (day(at), count(at, random))).collect()
}

#[test]
fn quiet_series_alarm_as_seldom_as_claimed() {
    let kinds = [
        Quiet::Poisson(0.01),
        Quiet::Poisson(0.1),
        Quiet::Poisson(1.0),
        Quiet::Poisson(10.0),
        Quiet::Poisson(1000.0),
        Quiet::Overdispersed(3.0, 2),
        Quiet::Overdispersed(30.0, 5),
        Quiet::Overdispersed(300.0, 20),
        Quiet::Weekly(20.0),
        Quiet::Weekly(500.0),
        Quiet::Growing(20.0),
        Quiet::Growing(500.0),
        Quiet::Shrinking(500.0),
        Quiet::Staying(0.3, 5.0),
        Quiet::Staying(2.0, 5.0),
        Quiet::Staying(20.0, 20.0),
    ];
    let series = 600;
    let mut random = Random(2009);
    let level = 0.01;
    // One history is one series: its days are the tests, and a surge is told by mistake with the level's chance.
    let p_max = level / tested_day_count(DAYS) as f64;
    // Of a history that is young, all days have little past.
    let early_p_max = level / tested_day_count(EARLY) as f64;
    for kind in kinds {
        let (mut surged, mut fell, mut early) = (0, 0, 0);
        for _ in 0..series {
            let days = quiet(kind, &mut random);
            surged += u32::from(!surges(&days, p_max).is_empty());
            early += u32::from(!surges(&days[..EARLY], early_p_max).is_empty());
            let falls = surges_and_falls(&days, p_max);
            fell += u32::from(falls.iter().any(|jump| jump.direction == Direction::Down && !is_end(jump)));
        }
        for (words, alarms) in [("surges", surged), ("falls", fell), ("early surges", early)] {
            let rate = f64::from(alarms) / f64::from(series);
            println!("{kind:?}: {words} {rate}");
            // Twice the standard error of what is claimed is allowed for.
            let most = level + 2.0 * (level * (1.0 - level) / f64::from(series)).sqrt();
            assert!(rate <= most, "{kind:?}: {words} in {rate} of quiet series, {level} is claimed");
        }
    }
}

/// The surge that begins about a day: at most a week late, since the first days may be low by chance.
fn one(found: &[Surge], at: usize) -> Option<Surge> {
    let near = |surge: &&Surge| (day(at - 1)..=day(at + 7)).contains(&surge.first);
    found.iter().find(near).copied()
}

#[test]
fn what_is_put_in_is_found() {
    let mut random = Random(7);
    let p_max = 0.01 / tested_day_count(DAYS) as f64;
    let cases: [(&str, Quiet, f64, usize); 6] = [
        ("six hosts a day where nobody was", Quiet::Poisson(0.02), 6.0, 95),
        ("a few hosts a day where one came in three days", Quiet::Poisson(0.3), 4.0, 90),
        ("three times as many", Quiet::Poisson(10.0), 20.0, 90),
        ("three times as many, of hosts that stay", Quiet::Staying(20.0, 5.0), 40.0, 90),
        ("twice as many, in a weekly rhythm", Quiet::Weekly(200.0), 200.0, 95),
        ("twice as many, over a noisy level", Quiet::Overdispersed(300.0, 40), 300.0, 90),
    ];
    for (words, kind, more, least) in cases {
        let found = (0..100).filter(|_| {
            let mut days = quiet(kind, &mut random);
            days[120..].iter_mut().for_each(|(_, count)| *count += poisson(&mut random, more));
            one(&surges(&days, p_max), 120).is_some()
        });
        let found = found.count();
        println!("{words}: {found} of 100");
        assert!(found >= least, "{words}: {found} of 100");
    }
}

/// Whether a fall is the end of a surge, which is as sure as the surge.
fn is_end(jump: &Surge) -> bool {
    jump.outcome == Outcome::OldLevel
}

#[test]
fn falls_that_are_put_in_are_found() {
    let mut random = Random(17);
    let p_max = 0.01 / (2 * tested_day_count(DAYS)) as f64;
    let cases: [(&str, Quiet, f64, usize); 4] = [
        ("six hosts a day that come no more", Quiet::Poisson(6.0), 0.0, 95),
        ("all but a third", Quiet::Poisson(30.0), 1.0 / 3.0, 95),
        ("half, in a weekly rhythm", Quiet::Weekly(200.0), 0.5, 95),
        ("three in five of a noisy level", Quiet::Overdispersed(300.0, 40), 0.4, 95),
    ];
    for (words, kind, left, least) in cases {
        let found = (0..100).filter(|_| {
            let mut days = quiet(kind, &mut random);
            days[120..].iter_mut().for_each(|(_, count)| *count = poisson(&mut random, *count as f64 * left));
            let fell = one(&surges_and_falls(&days, p_max), 120);
            fell.is_some_and(|fall| fall.direction == Direction::Down && fall.outcome == Outcome::NewLevel)
        });
        let found = found.count();
        println!("{words}: {found} of 100");
        assert!(found >= least, "{words}: {found} of 100");
    }
}

/// A wave of ten days ends at the old level, one of six weeks is a new level by then: both end with a fall.
#[test]
fn a_wave_ends_with_a_fall() {
    let mut random = Random(23);
    for (length, before, after) in
        [(10, Outcome::Over, Outcome::OldLevel), (42, Outcome::NewLevel, Outcome::NewLevel)]
    {
        let mut days = quiet(Quiet::Poisson(50.0), &mut random);
        days[100..100 + length].iter_mut().for_each(|(_, count)| *count *= 4);
        let told: Vec<_> = surges_and_falls(&days, 1e-5)
            .iter()
            .map(|jump| (jump.direction, jump.first, jump.outcome))
            .collect();
        let (rise, fall) = (day(100), day(100 + length));
        assert_eq!(told, [(Direction::Up, rise, before), (Direction::Down, fall, after)]);
    }
}

#[test]
fn an_outage_neither_surges_nor_hides_a_surge() {
    let mut random = Random(3);
    let mut days = quiet(Quiet::Poisson(20.0), &mut random);
    days.drain(118..129);
    assert_eq!(surges(&days, 1e-5), []);
    days[130..140].iter_mut().for_each(|(_, count)| *count *= 4);
    let found = surges(&days, 1e-5);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].first, found[0].outcome), (days[130].0, Outcome::Over));
}

#[test]
fn one_day_is_told_once() {
    let mut random = Random(11);
    for mean in [0.2, 2.0, 20.0] {
        let mut days = quiet(Quiet::Poisson(mean), &mut random);
        days[120].1 += 60;
        let found = surges(&days, 1e-5);
        let spans: Vec<(Date, Date)> = found.iter().map(|surge| (surge.first, surge.last)).collect();
        assert_eq!(spans, [(day(120), day(120))], "{mean}");
    }
}

/// Two worms were put in at two sensors: the large one from 29 December on, the small one from 2 March on, when `south`
/// was out until the 9th.
#[test]
fn the_darknet_that_ships_has_the_surges_put_in_and_no_other() {
    let found = inga(&["surges", "--darknet", "samples/darknet", "--format", "json"]).json();
    let mut told: Vec<(&str, &str, &str, Date)> = found
        .iter()
        .filter(|surge| surge["part_of"].is_null())
        .map(|surge| {
            let text = |name: &str| surge[name].as_str().unwrap();
            (text("sensor"), text("behavior"), text("kind"), text("first").parse().unwrap())
        })
        .collect();
    told.sort_unstable();
    let small = "bt1f|pd=1|su=d|tr=S|pt=445|pr=TCP:S";
    let put_in = [
        ("north", "445/tcp", "scan", date(2008, 12, 29)),
        ("north", small, "scan", date(2009, 3, 2)),
        ("south", "445/tcp", "scan", date(2008, 12, 29)),
        ("south", small, "scan", date(2009, 3, 10)),
    ];
    assert_eq!(told.len(), put_in.len(), "{told:?}");
    for (told, put_in) in told.iter().zip(put_in) {
        assert_eq!((told.0, told.1, told.2), (put_in.0, put_in.1, put_in.2));
        let late = put_in.3.until(told.3).unwrap().get_days();
        assert!((0..=3).contains(&late), "{told:?} {late} days late");
    }
}

#[test]
#[cfg_attr(not(corpora), ignore = "needs the corpora")]
fn backscatter_is_no_surge_of_scanning() {
    let corpora = corpora();
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("history");
    let db = arg(&db);
    inga(&["sensor", "add", "I", "--history", db, "--prefix", "192.150.186.0/23"]);
    let trace = corpora.join("ncsa-simple-scan/backscatter.trace");
    assert_eq!(inga(&["observe", "--sensor", "I", "--history", db, arg(&trace)]).code, 0);
    let answer = inga(&["surges", "--history", db, "--q-max", "0.1", "--format", "json"]);
    assert_eq!((answer.code, answer.json().len()), (0, 0), "{}", answer.stdout);
    let note = "the first 2 of 2 observed days";
    assert!(answer.stderr.contains(note), "{}", answer.stderr);
}

/// The trace has one day, which has no past. So here servers that somebody floods answer for ten days, after fifty days
/// on which few did, while as many hosts as ever scan.
#[test]
fn a_surge_of_backscatter_is_called_so() {
    use crate::make::packets::{Pcap, RAW_IP, tcp};
    let mut pcap = Pcap::new(RAW_IP);
    let mut random = Random(8);
    for day in 0..60u64 {
        let servers = if day < 50 { random.below(2) } else { 12 + random.below(4) };
        for number in 0..servers + 5 {
            let from = [203, 0, u8::try_from(day).unwrap(), u8::try_from(number).unwrap()].into();
            let to = [198, 51, 100, u8::try_from(random.below(250)).unwrap()].into();
            let time = 1_233_446_400_000_000 + day * 86_400_000_000 + number * 60_000_000;
            let (port, open) = (random.port(), 2323);
            pcap.add(
                time,
                match number < servers {
                    true => tcp((from, 80), (to, port), "SA", 1, b""),
                    false => tcp((from, port), (to, open), "S", 1, b""),
                },
            );
        }
    }
    let folder = TempDir::new().unwrap();
    let (db, capture) = (folder.path().join("history"), folder.path().join("c.pcap"));
    std::fs::write(&capture, pcap.bytes()).unwrap();
    let db = arg(&db);
    inga(&["sensor", "add", "I", "--history", db, "--prefix", "198.51.100.0/24"]);
    assert_eq!(inga(&["observe", "--sensor", "I", "--history", db, arg(&capture)]).code, 0);
    let answer = inga(&["surges", "--history", db, "--format", "json"]);
    let note = "sensor I: the first 20 of 60 observed days, to 2009-02-20, have too little past";
    assert!(answer.stderr.contains(note), "{}", answer.stderr);
    let found = answer.json();
    assert!(!found.is_empty());
    for surge in found {
        assert_eq!(
            (&surge["kind"], &surge["first"]),
            (&"backscatter".into(), &"2009-03-23".into()),
            "{surge}"
        );
    }
}

/// A sensor that looks for 80 days. From the fiftieth on, for twenty days, hosts ask its addresses for the ports that
/// Conficker.D would have there, one datagram each; before and after, they ask for a service.
#[test]
fn a_jump_of_kinds_is_told_by_its_derived_ports() {
    use crate::make::packets::{Pcap, RAW_IP, udp};
    let (mut random, mut pcap) = (Random(5), Pcap::new(RAW_IP));
    let start = 1_233_446_400_000_000u64; // 2009-02-01
    for day in 0..80 {
        for host in 0..40u64 {
            let to = [198, 51, 100, u8::try_from(random.below(64)).unwrap()].into();
            let ports = inga::rules::conficker_d_ports(to, 2040 + u32::try_from(day / 7).unwrap());
            let port =
                if !(50..70).contains(&day) { 161 } else { ports[1 + 2 * usize::from(random.below(2) == 1)] };
            let from = [203, 0, u8::try_from(day).unwrap(), u8::try_from(host).unwrap()].into();
            let time = start + day * 86_400_000_000 + host * 60_000_000;
            pcap.add(time, udp((from, 4000), (to, port), b"x"));
        }
    }
    let folder = TempDir::new().unwrap();
    let (db, capture) = (folder.path().join("history"), folder.path().join("c.pcap"));
    std::fs::write(&capture, pcap.bytes()).unwrap();
    let (db, capture) = (arg(&db), arg(&capture));
    inga(&["sensor", "add", "I", "--history", db, "--prefix", "198.51.100.0/24"]);
    assert_eq!(inga(&["observe", "--sensor", "I", "--history", db, capture]).code, 0);
    let told = inga(&["types", "--history", db, "--captures", capture, "--format", "json"]).json();
    let found = |at: usize| (told[at]["direction"].as_str().unwrap(), told[at]["first"].as_str().unwrap());
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((found(0), &told[0]["sensor"]), (("up", "2009-03-23"), &"I".into()));
    assert_eq!((found(1), &told[1]["outcome"]), (("down", "2009-04-12"), &"old-level".into()));
    let (new, gone) = (&told[0]["new_types"], &told[1]["gone_types"]);
    assert!(new.as_u64() > gone.as_u64() && gone.as_u64() > Some(64), "{told:?}");
    assert!(told[0]["gone_types"].is_null() && told[1]["new_types"].is_null(), "{told:?}");
    let group = &told[1]["groups"][0];
    assert!(group["pattern"].as_str().unwrap().contains("pt=~|pr=UDP"), "{group}");
    assert_eq!((&group["share"], &group["since"]), (&1.0.into(), &0.0.into()), "{group}");
    let group = &told[0]["groups"][0];
    assert_eq!(group["before"], 0.0, "{group}");
    assert_eq!(told[1]["groups"][0]["port_follows_destination"], true, "{told:?}");
    assert!(group["pattern"].as_str().unwrap().contains("pt=~|pr=UDP"), "{group}");
    assert_eq!((&group["port_follows_destination"], &group["share"]), (&true.into(), &1.0.into()), "{group}");
    let ports = group["ports"].as_u64().unwrap();
    assert!(ports > 64 && group["members"].as_array().unwrap().len() == 20, "{group}");
    let text = inga(&["types", "--history", db]).stdout;
    assert!(text.contains("since 2009-03-23") && text.contains("since 2009-04-12: a fall to"), "{text}");
    assert!(text.matches("100 %").count() == 2, "{text}");
    // Two hours of a day, two days later.
    let (part, mut pcap) = (folder.path().join("part.pcap"), Pcap::new(RAW_IP));
    for minute in [0, 60, 120] {
        let time = start + 81 * 86_400_000_000 + minute * 60_000_000;
        pcap.add(time, udp(([203, 0, 113, 1].into(), 4000), ([198, 51, 100, 1].into(), 161), b"x"));
    }
    std::fs::write(&part, pcap.bytes()).unwrap();
    assert_eq!(inga(&["observe", "--sensor", "I", "--history", db, arg(&part)]).code, 0);
    let notes = inga(&["types", "--history", db]).stderr;
    // So short was the last day of the other capture, too.
    assert!(notes.contains("not judged: 2"), "{notes}");
    let picture = inga(&["types", "--history", db, "--format", "svg"]).stdout;
    assert!(picture.contains("new types") && picture.contains("types gone"), "{picture}");
}
