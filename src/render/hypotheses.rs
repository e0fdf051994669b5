//! The answer of `inga correlate`, and its hypotheses as text.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use crate::correlate::{
    EvidenceGraph, Gap, Hypothesis, Match, Suspect, Suspects, communities, count_with_noun, paths,
};
use crate::history::Coverage;
use crate::packet::Timestamp;
use crate::sample::SampleProfile;

use crate::escape::escape_hidden;

/// Hypotheses with everything that their pictures show.
pub struct CorrelationAnswer<'a> {
    /// Hypotheses in the order of their ranks.
    pub hypotheses: &'a [Hypothesis],
    /// Profiles of the samples.
    pub samples: Vec<&'a SampleProfile>,
    /// Coverage of each sensor, by the sensor's name.
    pub coverage: &'a BTreeMap<String, Coverage>,
    /// Length of a window in seconds, which is the length of the time axis of tiles.
    pub window_seconds: u32,
    /// Graph of samples, behaviors, sensors and hosts.
    pub graph: EvidenceGraph,
    /// Host whose connection to the samples the text shows.
    pub host: Option<IpAddr>,
}

/// Returns the headline of a hypothesis: sample, sensor, verdict and behavior.
#[must_use]
pub fn headline(hypothesis: &Hypothesis) -> String {
    let Hypothesis { title, sensor, .. } = hypothesis;
    format!("{title} at sensor {sensor}: {}", behavior_and_verdict(hypothesis))
}

/// Returns the verdict with the granularity and the behavior, such as `likely (type bt1|…)`.
pub(super) fn behavior_and_verdict(hypothesis: &Hypothesis) -> String {
    let what = match (&hypothesis.matched, hypothesis.granularity) {
        (Some(matched), Some(granularity)) => format!("{granularity} {}", matched.behavior.canonical),
        _ => "no behavior of the sample".to_owned(),
    };
    format!("{} ({what})", hypothesis.verdict)
}

/// Formats a time (UTC) to the second, such as `2009-03-02 01:00:00`.
#[must_use]
pub fn format_to_second(time: Timestamp) -> String {
    time.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

/// What a match does and does not show; the outputs in text and HTML have this sentence.
pub const CAVEAT: &str =
    "A match of behavior makes a sample a candidate for the cause; it does not show that a host is infected.";

/// The hypotheses of one sample at one sensor: the best one, and the others.
pub(super) type HypothesisGroup<'a> = (&'a Hypothesis, Vec<&'a Hypothesis>);

/// Groups ranked hypotheses by sample and sensor. The group with the best hypothesis comes first.
pub(super) fn group_hypotheses(all: &[Hypothesis]) -> Vec<HypothesisGroup<'_>> {
    let mut pairs: BTreeMap<(&str, &str), HypothesisGroup<'_>> = BTreeMap::new();
    for hypothesis in all {
        pairs
            .entry((&hypothesis.sample, &hypothesis.sensor))
            .and_modify(|(_, others)| others.push(hypothesis))
            .or_insert_with(|| (hypothesis, Vec::new()));
    }
    let mut pairs: Vec<HypothesisGroup<'_>> = pairs.into_values().collect();
    pairs.sort_by_key(|(best, _)| best.rank);
    pairs
}

/// Writes hypotheses as text, grouped by sample and sensor; the group with the best hypothesis comes first.
/// The best hypothesis of a group is written in full. Another one that matches exactly the same windows takes
/// only one line.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn text(out: &mut dyn Write, all: &[Hypothesis]) -> io::Result<()> {
    for (best, others) in group_hypotheses(all) {
        writeln!(out, "{}. {}", best.rank, escape_hidden(&headline(best)))?;
        evidence(out, best)?;
        near_misses(out, best)?;
        for other in others {
            writeln!(out, "{:>4}. {}", other.rank, escape_hidden(&behavior_and_verdict(other)))?;
            if same_windows(best, other) {
                writeln!(out, "     the same windows as rank {}", best.rank)?;
            } else {
                evidence(out, other)?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "{CAVEAT}")
}

/// Writes which samples no sensor can distinguish and, if a host is given, the evidence that connects it to
/// samples.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub(super) fn connections(
    out: &mut dyn Write,
    graph: &EvidenceGraph,
    host: Option<IpAddr>,
) -> io::Result<()> {
    for community in communities(graph) {
        writeln!(out, "samples that scan alike here: {}", escape_hidden(&community.join(", ")))?;
    }
    let Some(host) = host else { return Ok(()) };
    let paths = paths(graph, host);
    if paths.is_empty() {
        writeln!(
            out,
            "{host}: among the hosts told above there is none such, so no evidence joins it to a sample"
        )?;
    }
    for path in paths {
        let steps = path.iter().map(|(node, link)| match link.is_empty() {
            true => node.clone(),
            false => format!("{node} —{link}— "),
        });
        writeln!(out, "{}", escape_hidden(&steps.collect::<String>()))?;
    }
    Ok(())
}

/// Returns whether two hypotheses match the same windows, judged by the numbers of windows, packets and
/// hosts.
pub(super) fn same_windows(best: &Hypothesis, other: &Hypothesis) -> bool {
    best.matched.as_ref().zip(other.matched.as_ref()).is_some_and(|(best, other)| {
        (best.windows, best.packets, best.hosts.total) == (other.windows, other.packets, other.hosts.total)
    })
}

fn evidence(out: &mut dyn Write, hypothesis: &Hypothesis) -> io::Result<()> {
    for reason in &hypothesis.reasons {
        writeln!(out, "     {}", escape_hidden(reason))?;
    }
    match &hypothesis.matched {
        Some(matched) => text_match(out, hypothesis, matched),
        None => Ok(()),
    }
}

fn near_misses(out: &mut dyn Write, hypothesis: &Hypothesis) -> io::Result<()> {
    for near in &hypothesis.near_misses {
        let seen =
            format!("{} of {}", count_with_noun(near.windows, "window"), count_with_noun(near.hosts, "host"));
        writeln!(out, "     near: {} ({seen}), but", near.canonical)?;
        for gap in gaps_in_words(&near.gaps) {
            writeln!(out, "       {gap}")?;
        }
    }
    Ok(())
}

/// Describes the differences between a sample and a sensor. Differences with the same explanation share a
/// line.
#[must_use]
pub fn gaps_in_words(gaps: &[Gap]) -> Vec<String> {
    let mut lines: Vec<(Option<&str>, Vec<String>)> = Vec::new();
    for gap in gaps {
        let words = gap_in_words(gap, ["sample", "sensor"]);
        match lines.iter_mut().find(|(why, _)| *why == gap.explained_by) {
            Some((_, line)) => line.push(words),
            None => lines.push((gap.explained_by, vec![words])),
        }
    }
    let line = |(why, words): (Option<&str>, Vec<String>)| {
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        format!("{}{why}", words.join("; "))
    };
    lines.into_iter().map(line).collect()
}

/// Describes the differences between two windows in one line; `None` if there are none.
#[must_use]
pub fn differences_in_words(gaps: &[Gap]) -> Option<String> {
    let words: Vec<String> = gaps.iter().map(|gap| gap_in_words(gap, ["left", "right"])).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn gap_in_words(gap: &Gap, [one, other]: [&str; 2]) -> String {
    format!("{}: {one} {}, {other} {}", gap.parameter, gap.sample, gap.sensor)
}

/// Writes the hosts that the sample may explain: their expected number, the five most probable hosts, and the
/// five prefixes in which most of them are.
fn text_suspects(out: &mut dyn Write, suspects: &Suspects) -> io::Result<()> {
    let host = |one: &Suspect| {
        format!("{} ({:.0} %)", one.host, crate::escape::without_negative_zero(one.probability * 100.0, 0))
    };
    let hosts: Vec<String> = suspects.hosts.iter().take(5).map(host).collect();
    let prefix =
        |(prefix, hosts, expected): &(ipnet::IpNet, u64, f64)| format!("{prefix} ({expected:.1} of {hosts})");
    let prefixes: Vec<String> = suspects.prefixes.iter().take(5).map(prefix).collect();
    let total = count_with_noun(suspects.total, "host");
    writeln!(
        out,
        "     since the onset {total} behave so, {:.1} of them on the sample's account: {}",
        suspects.expected,
        hosts.join(", ")
    )?;
    writeln!(out, "     most of them in {}", prefixes.join(", "))
}

fn text_match(out: &mut dyn Write, hypothesis: &Hypothesis, matched: &Match) -> io::Result<()> {
    if let Some(onset) = &hypothesis.onset {
        let days = count_with_noun(onset.days, "day");
        writeln!(
            out,
            "     seen {} to {} UTC, on {days}",
            format_to_second(onset.first),
            format_to_second(onset.last)
        )?;
    }
    let suspects: Vec<String> = matched
        .hosts
        .hosts
        .iter()
        .take(5)
        .map(|host| {
            let marks =
                if host.marks.is_empty() { String::new() } else { format!(", {}", host.marks.join(" ")) };
            format!("{} ({}{marks})", host.host, count_with_noun(host.windows, "window"))
        })
        .collect();
    let more = matched.hosts.total.saturating_sub(suspects.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    writeln!(out, "     hosts that behave so: {}{more}", escape_hidden(&suspects.join(", ")))?;
    if let Some(suspects) = hypothesis.suspects.as_ref().filter(|suspects| suspects.total > 0) {
        text_suspects(out, suspects)?;
    }
    for also in hypothesis.other_matches.iter().take(5) {
        let (windows, hosts) =
            (count_with_noun(also.windows, "window"), count_with_noun(also.hosts.total, "host"));
        writeln!(out, "     also: {} ({}, {windows} of {hosts})", also.behavior.canonical, also.origin)?;
    }
    Ok(())
}
