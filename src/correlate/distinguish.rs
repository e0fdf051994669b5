//! What would tell two samples apart that a sensor cannot: where their scans differ, and who would see it.

use crate::sample::{Scan, SourcePorts, TargetOrder};

/// Rates and attempts that differ by less than this factor look the same within the scatter of hosts.
const FACTOR_MIN: f64 = 2.0;
/// Shares that differ by less look the same.
const SHARE_MIN: f64 = 0.2;

/// What differs between two scans, each with what would show it; empty where their runs show nothing that does.
#[must_use]
pub fn distinguishing_features(one: &Scan, other: &Scan) -> Vec<String> {
    let mut all = Vec::new();
    if let (Some(a), Some(b)) = (one.targets_per_second, other.targets_per_second)
        && (a / b).max(b / a) >= FACTOR_MIN
    {
        all.push(format!(
            "rate ({a:.1} against {b:.1} targets a second): a sensor so large that a host comes upon it several times in a window"
        ));
    }
    let attempts = |scan: &Scan| {
        scan.attempts.shares.iter().map(|(packets, share)| *packets as f64 * share).sum::<f64>()
    };
    let (a, b) = (attempts(one), attempts(other));
    if (a - b).abs() >= 0.5 {
        all.push(format!("packets to a silent target ({a:.1} against {b:.1}): any sensor without loss"));
    }
    if one.source_ports != other.source_ports {
        let words = |scan: &Scan| match scan.source_ports {
            SourcePorts::One => "one for all",
            SourcePorts::PerTarget => "new ones for each target",
        };
        all.push(format!(
            "source ports ({} against {}): a sensor that a host comes upon several times in a window",
            words(one),
            words(other)
        ));
    }
    all.extend(services(one, other));
    all.extend(targeting(one, other));
    if one.answered.is_some() != other.answered.is_some() {
        all.push("what follows an answer: a sensor or honeypot that answers, by payload".to_owned());
    }
    all
}

fn services(one: &Scan, other: &Scan) -> Option<String> {
    let share = |scan: &Scan, service| {
        scan.services.iter().find(|(known, _)| *known == service).map_or(0.0, |(_, share)| *share)
    };
    let all = one.services.iter().chain(&other.services).map(|(service, _)| *service);
    let differing = all.map(|service| (service, share(one, service), share(other, service)));
    let most = differing.max_by(|a, b| (a.1 - a.2).abs().total_cmp(&(b.1 - b.2).abs()))?;
    let (service, a, b) = most;
    ((a - b).abs() >= SHARE_MIN).then(|| {
        format!(
            "{service} ({:.0} against {:.0} % of the targets): more hosts, or a larger sensor",
            a * 100.0,
            b * 100.0
        )
    })
}

fn targeting(one: &Scan, other: &Scan) -> Option<String> {
    let order = |scan: &Scan| match scan.targeting.order {
        TargetOrder::Random => "no order",
        TargetOrder::Sequential { .. } => "sweeps",
        TargetOrder::Link => "own link only",
    };
    if order(one) != order(other) {
        return Some(format!("order of targets ({} against {}): a larger sensor", order(one), order(other)));
    }
    let near = |scan: &Scan| 1.0 - scan.targeting.reach.elsewhere;
    ((near(one) - near(other)).abs() >= SHARE_MIN).then(|| {
        format!(
            "nearness of targets ({:.0} against {:.0} % in the host's own networks): a sensor among live hosts",
            near(one) * 100.0,
            near(other) * 100.0
        )
    })
}
