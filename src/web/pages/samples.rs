//! The pages of all samples, of one sample, of a malware family, and of the verdicts on samples.

use askama::Template;

use crate::app::correlate::correlate_reports;
use crate::app::family_members::families;
use crate::app::history::kept_samples;
use crate::app::history_source::Readable;
use crate::app::sample_details::details;
use crate::app::{AppError, CaptureOptions, Notices};
use crate::incident::{Incident, IncidentCause};
use crate::render::hypothesis_pictures::sample_tile;
use crate::render::projection::scan_in_words;
use crate::render::sample_details::run_in_words;
use crate::render::svg::{Theme, without_style};
use crate::render::tile::tile_svg;
use crate::sample::{FamilyMember, FamilyScan, MalwareFamily, SampleDetails, StaticNeighbour};

use crate::web::format::{counted, plural};
use crate::web::incident_rows::{self, ShownVerdict, sample_names, verdict_look, verdict_markup};
use crate::web::layout::{Crumb, Layout, PageSection, html};
use crate::web::reply::{PageError, Reply};
use crate::web::request::{PageRequest, segment};
use crate::web::table::{Cell, Table, TableColumn, TableRow, export};

const FAMILIES: &[TableColumn] = &[
    TableColumn::text("family", "Family", 1),
    TableColumn::number("samples", "Samples", 1),
    TableColumn::number("variants", "Kinds of scan", 1),
    TableColumn::text("known-by", "Known by", 2),
];

const SAMPLES: &[TableColumn] = &[
    TableColumn::text("sample", "Sample", 1),
    TableColumn::text("family", "Family", 1),
    TableColumn::text("known-by", "Known by", 3),
    TableColumn::number("windows", "Windows of its runs", 2),
    TableColumn::text("date", "Date", 1),
    TableColumn::text("hash", "Hash", 3),
];

const VERDICTS: &[TableColumn] = &[
    TableColumn::text("sample", "Sample", 1),
    TableColumn::text("sensor", "Sensor", 1),
    TableColumn::text("verdict", "Verdict", 1),
    TableColumn::number("hosts", "Hosts", 2),
    TableColumn::text("since", "First seen", 2),
    TableColumn::text("behavior", "Behavior", 3),
];

#[derive(Template)]
#[template(path = "samples.html", config = "src/web/templates/askama.toml")]
struct SamplesPage {
    layout: Layout,
    finding: String,
    families: Table,
    samples: Table,
}

fn sample_rows<'a>(members: impl Iterator<Item = &'a FamilyMember>) -> Vec<TableRow> {
    let row = |member: &FamilyMember| {
        let family = &member.family;
        TableRow::from(vec![
            Cell::text(member.title.clone()).link(format!("/samples/{}", segment(&member.id))),
            Cell::text(family.name.clone()).link(format!("/families/{}", segment(&family.name))),
            Cell::text(family.basis.to_string()),
            Cell::count(member.windows as u64),
            member
                .date
                .map_or_else(|| Cell::none("no date is known"), |date| Cell::text(date.to_string()))
                .class("nowrap"),
            Cell::text(member.id.clone()).class("mono"),
        ])
    };
    members.map(row).collect()
}

const NO_SAMPLE: &str = "No sample is kept yet. Add some with inga sample import or inga sample add.";

/// Answers requests for `/samples`.
pub(in crate::web) fn list(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let all = families(store, &request.server.rules)?;
    let row = |family: &MalwareFamily| {
        let basis = family.members.first().map(|member| member.family.basis.to_string()).unwrap_or_default();
        TableRow::from(vec![
            Cell::text(family.name.clone()).link(format!("/families/{}", segment(&family.name))),
            Cell::count(family.members.len() as u64),
            Cell::count(family.scans.len() as u64),
            Cell::text(basis),
        ])
    };
    let rows = all.iter().map(row).collect();
    let families = Table::new(request, "families", "Malware families", FAMILIES, rows, NO_SAMPLE)
        .with_json("/api/v1/families");
    let rows = sample_rows(all.iter().flat_map(|family| &family.members));
    let samples = Table::new(request, "samples", "Samples by family", SAMPLES, rows, NO_SAMPLE)
        .with_json("/api/v1/families");
    if let Some(reply) = export(request, &[&families, &samples]) {
        return reply;
    }
    let count: usize = all.iter().map(|family| family.members.len()).sum();
    let scanning: usize = all.iter().filter(|family| !family.scans.is_empty()).count();
    let finding = match count {
        0 => String::new(),
        count => format!(
            "{} of {}; {scanning} of them scan{} in the sandbox.",
            counted(count as u64, "sample", "samples"),
            counted(all.len() as u64, "family", "families"),
            if scanning == 1 { "s" } else { "" }
        ),
    };
    let layout = Layout::new(request, store, PageSection::Samples, "Samples", Vec::new())?;
    html(&SamplesPage { layout, finding, families, samples })
}

#[derive(Template)]
#[template(path = "family.html", config = "src/web/templates/askama.toml")]
struct FamilyPage {
    layout: Layout,
    name: String,
    finding: String,
    scans: Vec<String>,
    samples: Table,
    incidents: Table,
}

/// Answers requests for `/families/NAME`.
pub(in crate::web) fn family(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let name = request.part("name");
    let all = families(store, &request.server.rules)?;
    let Some(family) = all.iter().find(|family| family.name == name) else {
        let name = crate::escape::escape_hidden(name);
        return Err(PageError::Missing(format!("No sample of this history belongs to a family `{name}`.")));
    };
    let incidents = store.incidents().map_err(AppError::from)?;
    let caused: Vec<&Incident> =
        incidents.iter().filter(|one| one.causes.iter().any(|cause| is_cause(cause, family))).collect();
    let samples =
        Table::new(request, "samples", "Its samples", SAMPLES, sample_rows(family.members.iter()), NO_SAMPLE)
            .with_json("/api/v1/families");
    let names = sample_names(&kept_samples(store)?);
    let incidents =
        incident_rows::table(request, "incidents", &caused, &names).with_json("/api/v1/incidents");
    if let Some(reply) = export(request, &[&samples, &incidents]) {
        return reply;
    }
    let crumbs = vec![Crumb::new("Samples", "/samples")];
    let page = FamilyPage {
        layout: Layout::new(request, store, PageSection::Samples, family.name.clone(), crumbs)?,
        name: family.name.clone(),
        finding: family_finding(family, caused.len()),
        scans: family.scans.iter().map(family_scan).collect(),
        samples,
        incidents,
    };
    html(&page)
}

/// Returns whether a cause of an incident is a family. One that nothing names goes by the id of its sample.
fn is_cause(cause: &IncidentCause, family: &MalwareFamily) -> bool {
    cause.family == family.name || family.members.iter().any(|member| cause.samples.contains(&member.id))
}

fn family_finding(family: &MalwareFamily, incidents: usize) -> String {
    let members = counted(family.members.len() as u64, "sample", "samples");
    let scans = match family.scans.len() {
        0 => "none of them scans in the sandbox".to_owned(),
        1 => "all runs show the same scan".to_owned(),
        more => format!("their runs show {more} kinds of scan"),
    };
    let seen = match incidents {
        0 => "It may not be the cause of any incident so far.".to_owned(),
        some => format!("It may be the cause of {}.", counted(some as u64, "incident", "incidents")),
    };
    format!("{members}; {scans}. {seen}")
}

fn family_scan(scan: &FamilyScan) -> String {
    let runs = scan.runs;
    let what = format!(
        "{runs} run{} of {} sample{}, {}",
        plural(runs),
        scan.samples.len(),
        plural(scan.samples.len()),
        counted(scan.targets, "target", "targets")
    );
    if scan.differences.is_empty() {
        what
    } else {
        format!("{what}; differs: {}", scan.differences.join("; "))
    }
}

#[derive(Template)]
#[template(path = "sample.html", config = "src/web/templates/askama.toml")]
struct SamplePage {
    layout: Layout,
    id: String,
    finding: String,
    facts: Vec<(String, String)>,
    names: Vec<(String, String)>,
    alike: Vec<(String, String, String)>,
    runs: Vec<String>,
    scans: Vec<(String, Vec<String>)>,
    tile: Option<String>,
    incidents: Table,
    family: String,
}

/// Answers requests for `/samples/ID`.
pub(in crate::web) fn sample(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let found = details(store, request.part("id"), &request.server.rules)?;
    let incidents = store.incidents().map_err(AppError::from)?;
    let id = found.member.id.clone();
    let is_of = |one: &&Incident| {
        one.samples.contains(&id) || one.causes.iter().any(|cause| cause.samples.contains(&id))
    };
    let caused: Vec<&Incident> = incidents.iter().filter(is_of).collect();
    let names = sample_names(&kept_samples(store)?);
    let incidents =
        incident_rows::table(request, "incidents", &caused, &names).with_json("/api/v1/incidents");
    if let Some(reply) = export(request, &[&incidents]) {
        return reply;
    }
    let kept = kept_samples(store)?;
    let profile = kept.iter().find(|sample| sample.profile.id == id).map(|sample| &sample.profile);
    let seconds = request.server.rules.profile.window_seconds;
    let tile = profile.and_then(|profile| sample_tile(&found.member.title, profile, None, seconds));
    let crumbs = vec![
        Crumb::new("Samples", "/samples"),
        Crumb::new(
            found.member.family.name.clone(),
            format!("/families/{}", segment(&found.member.family.name)),
        ),
    ];
    let page = SamplePage {
        layout: Layout::new(request, store, PageSection::Samples, found.member.title.clone(), crumbs)?,
        finding: sample_finding(&found, caused.len()),
        facts: crate::render::sample_details::facts(&found),
        names: found.report.names.iter().map(|(vendor, name)| (vendor.clone(), name.clone())).collect(),
        alike: found.member.neighbours.iter().map(neighbour).collect(),
        runs: found.runs.iter().map(run_in_words).collect(),
        scans: found
            .scans
            .iter()
            .map(|variant| (variant.differences.join("; "), scan_in_words(&variant.scan)))
            .collect(),
        tile: tile.map(|(tile, _)| without_style(&tile_svg(&tile, Theme::Auto))),
        family: found.member.family.name.clone(),
        incidents,
        id,
    };
    html(&page)
}

fn neighbour(one: &StaticNeighbour) -> (String, String, String) {
    (one.sample.clone(), one.family.clone(), one.reasons.join("; "))
}

fn sample_finding(found: &SampleDetails, incidents: usize) -> String {
    let family = &found.member.family;
    let whose = match family.is_named {
        true => format!("A sample of {} ({}).", family.name, family.basis),
        false => "Nothing names its family.".to_owned(),
    };
    let scan = match found.scans.len() {
        0 => " No run shows a scan, so a darknet cannot see it.".to_owned(),
        1 => String::new(),
        more => format!(" Its runs show {more} kinds of scan."),
    };
    let seen = match incidents {
        0 => " It is linked to no incident.".to_owned(),
        some => format!(" It may be the cause of {}.", counted(some as u64, "incident", "incidents")),
    };
    format!("{whose}{scan}{seen}")
}

#[derive(Template)]
#[template(path = "verdicts.html", config = "src/web/templates/askama.toml")]
struct VerdictsPage {
    layout: Layout,
    finding: String,
    verdicts: Table,
    reasons: Vec<(String, Vec<String>)>,
}

/// Answers requests for `/verdicts`: all kept samples, or those of a family, are correlated with the history now.
pub(in crate::web) fn verdicts(request: &PageRequest, store: &Readable) -> Result<Reply, PageError> {
    let source = request.server.source();
    let options = CaptureOptions::default();
    let found = correlate_reports(&[], &source, &options, &request.server.rules, &mut Notices::default())?;
    let wanted = request.query.get("sample");
    let mut rows = Vec::new();
    let (mut seen, mut likely) = (std::collections::BTreeSet::new(), 0);
    let mut reasons = Vec::new();
    for one in &found.hypotheses {
        if wanted.is_some_and(|wanted| wanted != one.sample)
            || !seen.insert((one.sample.clone(), one.sensor.clone()))
        {
            continue;
        }
        likely += usize::from(one.verdict.word() == "likely");
        if wanted.is_some() {
            let steps = one.reasons.iter().chain(&one.distinguishing).cloned().collect();
            reasons.push((format!("At {}: {}", one.sensor, one.verdict), steps));
        }
        let (shape, class) = verdict_look(one.verdict.word());
        let words = one.verdict.to_string();
        let markup = verdict_markup(&ShownVerdict { shape, class, words: words.clone() });
        let matched = one.matched.as_ref();
        let hosts = matched.map_or(0, |matched| matched.hosts.total);
        let behavior = matched.map(|matched| matched.behavior.clone()).zip(one.granularity);
        rows.push(TableRow::from(vec![
            Cell::text(one.title.clone()).link(format!("/samples/{}", segment(&one.sample))),
            Cell::text(one.sensor.clone()),
            Cell::markup(markup, words).hover(one.reasons.join(" ")),
            Cell::count(hosts),
            one.onset
                .map_or_else(
                    || Cell::none("not seen"),
                    |onset| Cell::time(onset.first, &jiff::tz::TimeZone::UTC),
                )
                .class("nowrap"),
            behavior.map_or_else(
                || Cell::none("nothing matched"),
                |(behavior, granularity)| {
                    Cell::text(behavior.canonical.clone())
                        .link(format!("/{granularity}s/{}", behavior.id))
                        .class("mono")
                },
            ),
        ]));
    }
    let total = rows.len();
    let caption = "Verdicts on samples at sensors, the most probable first";
    let verdicts = Table::new(request, "verdicts", caption, VERDICTS, rows, "No sample was asked for.")
        .with_json("/api/v1/correlate");
    if let Some(reply) = export(request, &[&verdicts]) {
        return reply;
    }
    let layout = Layout::new(
        request,
        store,
        PageSection::Samples,
        "Verdicts",
        vec![Crumb::new("Samples", "/samples")],
    )?;
    let finding = format!(
        "{} of samples and sensors; {}.",
        counted(total as u64, "pair", "pairs"),
        match likely {
            0 => "none is a likely cause".to_owned(),
            likely => format!("{likely} likely"),
        }
    );
    html(&VerdictsPage { layout, finding, verdicts, reasons })
}
