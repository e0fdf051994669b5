//! Times and memory as a table, and which bars hold.

use std::time::Duration;

use crate::rows::{
    CAPINFOS, CORSARO, GATHER, GATHER_TWO, GUNZIP, GZIP, MAWK, OBSERVE, OBSERVE_TWO, RG, Row, SUMMARY,
    SUMMARY_TWO, TCPDUMP, TEXT, UNZSTD, ZSTD,
};

/// Shares of another program's time that are not to be exceeded.
const BARS: [(&str, &str, f64); 12] = [
    (SUMMARY, CAPINFOS, 0.40),
    (SUMMARY, TCPDUMP, 1.0),
    (SUMMARY, CORSARO, 0.18),
    (SUMMARY_TWO, SUMMARY, 0.65),
    (OBSERVE, GATHER, 1.6),
    (OBSERVE_TWO, GATHER_TWO, 1.6),
    (OBSERVE, SUMMARY, 1.6),
    (OBSERVE_TWO, SUMMARY_TWO, 1.6),
    (GZIP, GUNZIP, 1.15),
    (ZSTD, UNZSTD, 1.15),
    (TEXT, MAWK, 0.1),
    (TEXT, RG, 1.0),
];

/// What a row came to.
pub(crate) struct Measured<'a> {
    pub(crate) row: &'a Row,
    pub(crate) seconds: f64,
    pub(crate) peak: u64,
}

pub(crate) fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Prints the table.
pub(crate) fn print(all: &[Measured<'_>]) {
    println!("| program | s | million packets a second | peak MB | time as a share |\n|---|---|---|---|---|");
    for Measured { row, seconds, peak } in all {
        let base = row.base.and_then(|base| Some((base, seconds_of(all, base)?)));
        let share = base.map_or_else(String::new, |(base, of)| format!("{:.2} of `{base}`", seconds / of));
        let (rate, peak) = (number(row.packets) / seconds / 1e6, number(*peak) / 1e6);
        println!("| `{}` | {seconds:.3} | {rate:.1} | {peak:.1} | {share} |", row.name);
    }
}

/// Prints which bars hold. `windows` and `types` are the capture's.
pub(crate) fn print_bars(all: &[Measured<'_>], windows: u64, types: u64) {
    let verdict = |holds: bool| if holds { "holds" } else { "missed" };
    for (name, base, most) in BARS {
        match (seconds_of(all, name), seconds_of(all, base)) {
            (Some(seconds), Some(of)) => {
                let share = seconds / of;
                let verdict = verdict(share <= most);
                println!("- {verdict}: `{name}` takes {share:.2} of `{base}`, at most {most}");
            }
            _ => println!("- not measured: `{name}` against `{base}`, at most {most}"),
        }
    }
    let most = (16 << 20) + 12 * windows + 64 * types;
    for name in [SUMMARY, SUMMARY_TWO, OBSERVE, OBSERVE_TWO] {
        let Some(measured) = all.iter().find(|measured| measured.row.name == name) else { continue };
        let (verdict, peak) = (verdict(measured.peak <= most), number(measured.peak) / 1e6);
        let most = number(most) / 1e6;
        println!(
            "- {verdict}: `{name}` holds {peak:.1} MB, at most {most:.1} (16 MiB, 12 bytes a window, 64 a type)"
        );
    }
}

fn seconds_of(all: &[Measured<'_>], name: &str) -> Option<f64> {
    all.iter().find(|measured| measured.row.name == name).map(|measured| measured.seconds)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, far below 2^52")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
