//! YAML that people write: reports, rules, scenarios, sensors, lists of events, the behavior profile.

use std::path::Path;
use std::sync::LazyLock;

use inga::app::{CaptureOptions, Notices, darknet, plot_dates};
use inga::behavior::Engine;
use inga::packet::{Packet, Protocol, TcpFlags, Timestamp};
use inga::rules::Rules;
use inga::sample::SampleReport;
use inga::simulate::{Scenario, Simulation};
use inga::store::MemoryStore;
use inga::yaml::YamlError;

use super::agree;

/// Packets that are looked at in what a text describes.
const PACKETS_MAX: usize = 500;
/// Hosts of a scenario that is played, and days.
const HOSTS_MAX: f64 = 500.0;
const DAYS_MAX: i32 = 20;

fn utf8(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// A refusal says something, of a place within the text.
fn place(text: &str, error: &YamlError) {
    assert!(!error.message.trim().is_empty(), "an empty message");
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    assert!(
        error.line.is_none_or(|line| (1..=lines + 1).contains(&line)),
        "line {:?} of {lines}",
        error.line
    );
}

/// A sample's report.
pub(crate) fn report(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let read = SampleReport::parse(text);
    agree("read again", &read, &SampleReport::parse(text));
    match read {
        Ok(report) => {
            assert!(report.title().contains(&report.id()[..12]), "{}", report.title());
            assert!(!report.captures.is_empty() || !report.without_capture.is_empty());
            let spans =
                report.discovered.map(|discovered| discovered.date).into_iter().chain(report.acquired);
            for span in spans {
                assert!(span.first <= span.last);
                agree("a date is read as it is written", &Ok(span), &span.to_string().parse());
            }
        }
        Err(inga::sample::ReportError::Yaml(error)) => place(text, &error),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A rule of each kind, and the profile, in one text; a set of rules is taken whole or not at all.
pub(crate) fn rules(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    for path in ["labels/a.yaml", "tools/a.yaml", "payloads/a.yaml", "plumbing/a.yaml", "behavior.yaml"] {
        // Without a profile no set of rules is whole.
        const PROFILE: (&str, &str) = ("behavior.yaml", include_str!("../../../rules/behavior.yaml"));
        let files: std::collections::BTreeMap<&str, &str> = [PROFILE, (path, text)].into();
        let files: Vec<(String, String)> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        match Rules::compile(&files) {
            Ok(rules) => apply(&rules),
            Err(errors) => assert!(!errors.0.is_empty() && errors.0.iter().all(|error| error.file == path)),
        }
    }
}

fn packets() -> impl Iterator<Item = Packet> {
    (0..200u16).map(|at| {
        let [high, low] = at.to_be_bytes();
        let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp, Protocol::Arp][usize::from(at % 4)];
        Packet::new([100, 64, 0, low % 7].into(), [203, 0, 113, low ^ high].into(), protocol)
            .with_time(Some(Timestamp(i64::from(at) * 400_000_000)))
            .with_source_port(Some(4_000 + at % 9))
            .with_destination_port(Some(at.wrapping_mul(331)))
            .with_flags(Some(TcpFlags::SYN))
            .with_ip_id(Some(at.wrapping_mul(40_503)))
            .with_sequence(Some(u32::from(at) << 20))
    })
}

/// Rules that were accepted can be applied, and a profile that was accepted can be counted by.
fn apply(rules: &Rules) {
    let mut engine = Engine::new(rules.profile.clone());
    let (mut windows, mut counted) = (0u64, 0u64);
    let mut closed = |all: &mut [inga::behavior::OpenWindow]| {
        windows += all.len() as u64;
        for window in all.iter() {
            counted += window.packets;
            assert!(rules.window_marks_at(window, window.start).len() <= rules.mark_names().len());
        }
    };
    for packet in packets() {
        let marks = rules.marks(&packet, b"CNXN\x00\x00\x00\x01\x00\x10");
        let _ = rules.infrastructure_rule(&packet);
        engine.push(&packet, marks, &mut closed);
    }
    engine.finish(&mut closed);
    assert!(windows > 0);
    agree("all packets are in windows", &counted, &200);
}

/// Whether a day of a scenario is made quickly: sensors and background are of a size that a person would try first.
fn is_small(scenario: &Scenario) -> bool {
    let prefixes = scenario.sensors.iter().flat_map(|sensor| &sensor.prefixes);
    let background = &scenario.background;
    let mut families = scenario.families.iter().chain(&background.scanners);
    prefixes.map(|prefix| prefix.max_prefix_len() - prefix.prefix_len()).all(|bits| bits <= 16)
        && families.all(|family| family.rate <= 1_000.0)
        && background.noise.iter().all(|noise| noise.per_address_day <= 1.0)
        && background.floods.iter().all(|floods| {
            floods.per_day * floods.minutes.max(1.0) * floods.packets_per_second.max(1.0) <= 1e6
        })
        && background.stray.iter().all(|stray| stray.addresses * stray.hosts_per_address_day <= 1e5)
        && background.misconfigured.iter().all(|one| one.every_seconds >= 1.0)
}

/// A scenario that is accepted can be played.
pub(crate) fn scenario(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let scenario = match Scenario::parse(text) {
        Ok(scenario) => scenario,
        Err(error) => return place(text, &error),
    };
    let infections = scenario.infections();
    assert!(infections >= 0.0, "{infections} infections");
    if infections > HOSTS_MAX
        || (scenario.last - scenario.first).get_days() > DAYS_MAX
        || !is_small(&scenario)
    {
        return;
    }
    // A thousandth of its hosts and background, of which the first packets are looked at.
    let simulation = Simulation::new(&scenario, 1, 0.001);
    let Some(day) = simulation.days().next() else { return };
    let sensors: Vec<_> = simulation.sensors().collect();
    for (at, sensor) in sensors.iter().enumerate().take(2) {
        let (space, mut looked_at) = (sensor.space_on(day), 0);
        simulation.stream(at).emit_day(day, &mut |shot, _| {
            if looked_at < PACKETS_MAX {
                assert!(
                    space.contains(shot.packet.destination()),
                    "{} is not dark",
                    shot.packet.destination()
                );
            }
            looked_at += 1;
        });
    }
}

/// `sensors.yaml` of a darknet's folder, whose captures are missing.
pub(crate) fn sensors(data: &[u8]) {
    let Some(folder) = written("sensors.yaml", data) else { return };
    static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| Rules::shipped().ok());
    let Some(rules) = &*RULES else { return };
    let read = || {
        let mut notices = Notices::default();
        let store = darknet::load(folder.path(), &CaptureOptions::default(), rules, &mut notices);
        (store.map(|_| ()).map_err(|error| error.to_string()), notices)
    };
    agree("read again", &read(), &read());
}

/// A list of events, or a report, as what is to be marked in a plot.
pub(crate) fn events(data: &[u8]) {
    let Some(folder) = written("events.yaml", data) else { return };
    let path = folder.path().join("events.yaml");
    let read = || {
        plot_dates::load(std::slice::from_ref(&path), &MemoryStore::new()).map_err(|error| error.to_string())
    };
    let events = read();
    agree("read again", &events, &read());
    if let Err(message) = events {
        assert!(message.contains("events.yaml"), "{message} names no file");
    }
}

/// A folder of its own with one file.
fn written(name: &str, data: &[u8]) -> Option<tempfile::TempDir> {
    let folder = tempfile::TempDir::new().ok()?;
    std::fs::write(Path::new(folder.path()).join(name), data).ok()?;
    Some(folder)
}
