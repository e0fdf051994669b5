//! Use case: simulates a scenario into captures and samples in a folder, or directly into a history.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::capture::Input;
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::simulate::{
    CaptureLength, CaughtSample, GroundTruth, PacketTally, PcapWriter, Scenario, SimulatedPacket, Simulation,
};
use crate::store::{HistoryStore, LocalStore};

use super::observe::observe_packets;
use super::output::{Output, Replacement, make_folder};
use super::sandbox::{LoadedSample, load_with};
use super::{AppError, CaptureOptions, Notices, parallel};

/// Parameters of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct SimulateOptions {
    /// Seed of the random generator, which determines everything that the scenario leaves open.
    pub seed: u64,
    /// Factor for the numbers of hosts and of background packets.
    pub scale: f64,
    /// Number of threads that share the work. Results do not depend on it.
    pub threads: usize,
}

/// The result of a simulation into a store.
#[derive(Clone, Debug)]
pub struct SimulationResult {
    /// The ground truth.
    pub truth: GroundTruth,
    /// The samples that were caught, loaded like reports and captures from files.
    pub samples: Vec<LoadedSample>,
}

/// The size of a simulation that was written to a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationSize {
    /// Number of packets that sensors recorded.
    pub packets: u64,
    /// Number of captures, or of days of sensors in a history, that have packets.
    pub captures: u64,
    /// Number of samples.
    pub samples: usize,
}

/// Compression level of Zstandard. Files are a third smaller than at its fastest level, and compression is
/// still faster than the generation of the packets.
const COMPRESSION: i32 = 3;

/// Reads a scenario from a YAML file.
///
/// # Errors
/// When the file cannot be read or is refused.
pub fn scenario(path: &Path) -> Result<Scenario, AppError> {
    let text = super::yaml_file::read(path)?;
    Scenario::parse(&text).map_err(|error| AppError::yaml(path, &error))
}

/// Simulates a scenario directly into a history, day by day for each sensor, by the same code as
/// [`observe`](super::observe::observe) but without captures; no file is touched. Returns the ground truth
/// and the samples, which `correlate` accepts as they are. Sensors and outages are added to the history.
///
/// Feeding the captures that [`simulate_to_files`] writes with the same options gives the same history, except
/// for the names and content hashes of captures. Memory: one
/// [`SensorStream`](crate::simulate::SensorStream) and the contribution of one capture.
///
/// # Errors
/// When the store fails, or has sensors of these names with other settings.
pub fn simulate_into(
    store: &mut dyn HistoryStore,
    scenario: &Scenario,
    options: SimulateOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<SimulationResult, AppError> {
    let simulation = new_simulation(scenario, options)?;
    let truth = into_store(store, &simulation, options, rules, notices)?;
    let samples = simulation.samples();
    let samples =
        samples.iter().map(|sample| load_caught_sample(sample, rules, notices)).collect::<Result<_, _>>()?;
    Ok(SimulationResult { truth, samples })
}

/// Maximum number of infections, which are all held in memory: 3 GB.
const INFECTIONS_MAX: f64 = 5e7;

/// Returns the simulation of a scenario, unless its infections need more memory than allowed.
fn new_simulation(scenario: &Scenario, options: SimulateOptions) -> Result<Simulation, AppError> {
    let expected = scenario.infections() * options.scale;
    if expected > INFECTIONS_MAX {
        return Err(AppError::Usage(format!(
            "some {expected:.0} infections at this scale, at most {INFECTIONS_MAX:.0}; give a smaller --scale"
        )));
    }
    Ok(Simulation::new(scenario, options.seed, options.scale))
}

/// Adds all days of all sensors to a history, one sensor after the other.
fn into_store(
    store: &mut dyn HistoryStore,
    simulation: &Simulation,
    options: SimulateOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<GroundTruth, AppError> {
    let scenario = simulation.scenario();
    let mut truth = GroundTruth::from_simulation(simulation);
    for (at, sensor) in simulation.sensors().enumerate() {
        store.add_sensor(&sensor)?;
        for outage in &scenario.sensors[at].outages {
            store.add_outage(&sensor.name, outage)?;
        }
        let mut stream = simulation.stream(at);
        for day in simulation.days() {
            let mut by = PacketsByActor::default();
            let capture = (day.to_string(), content_hash(scenario, options, &sensor.name, day));
            observe_packets(store, &sensor, capture, options.threads, rules, notices, |sink| {
                stream.emit_day(day, &mut |shot, payload| {
                    by.count(shot);
                    sink(&shot.packet, payload);
                });
            })?;
            by.add_to_truth(simulation, &mut truth, &sensor.name, day.to_string());
        }
        truth.add(simulation, &sensor.name, &stream.into_tally());
    }
    note_samples(&simulation.samples(), &mut truth);
    Ok(truth)
}

/// Simulates a scenario and writes it to a folder, which `inga correlate --darknet` accepts. Each sensor has
/// a subfolder with one `.pcap.zst` file per day or hour. The folder also contains `sensors.yaml`, the
/// samples in `samples/`, and the ground truth in `truth.yaml`.
///
/// # Errors
/// When a file cannot be written, or the folder is not empty: its files would be taken for parts of the
/// simulation.
pub fn simulate_to_files(
    folder: &Path,
    scenario: &Scenario,
    options: SimulateOptions,
) -> Result<SimulationSize, AppError> {
    let simulation = new_simulation(scenario, options)?;
    make_new_folder(folder)?;
    let mut truth = GroundTruth::from_simulation(&simulation);
    // Sensors are independent, so each can have a thread of its own.
    let record = |at| record_sensor(folder, &simulation, at);
    let parts = parallel::map(options.threads, 0..scenario.sensors.len(), record);
    for (sensor, part) in scenario.sensors.iter().zip(parts) {
        let (tally, captures) = part?;
        truth.add(&simulation, &sensor.name, &tally);
        for (capture, by) in captures {
            by.add_to_truth(&simulation, &mut truth, &sensor.name, capture);
        }
    }
    finish(folder, &simulation, truth)
}

/// Simulates a scenario into a history, which is created as `history` in a folder. The folder also gets
/// `sensors.yaml`, the samples and `truth.yaml`.
///
/// # Errors
/// As [`simulate_into`] and [`simulate_to_files`].
pub fn simulate_to_history(
    folder: &Path,
    scenario: &Scenario,
    options: SimulateOptions,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<SimulationSize, AppError> {
    let simulation = new_simulation(scenario, options)?;
    make_new_folder(folder)?;
    let mut store = LocalStore::create(&folder.join("history"), &rules.profile)?;
    let truth = into_store(&mut store, &simulation, options, rules, notices)?;
    for sample in simulation.samples() {
        store.put_sample(&load_caught_sample(&sample, rules, notices)?.to_kept())?;
    }
    finish(folder, &simulation, truth)
}

/// The number of packets of a capture by actor.
#[derive(Clone, Debug, Default)]
struct PacketsByActor(BTreeMap<u16, u64>);

impl PacketsByActor {
    fn count(&mut self, shot: &SimulatedPacket) {
        *self.0.entry(shot.actor).or_default() += 1;
    }

    /// Adds these numbers to the ground truth, under the capture's name.
    fn add_to_truth(self, simulation: &Simulation, truth: &mut GroundTruth, sensor: &str, capture: String) {
        if !self.0.is_empty() {
            let named =
                self.0.into_iter().map(|(actor, count)| (simulation.actor_name(actor).to_owned(), count));
            let sensor = truth.sensors.entry(sensor.to_owned()).or_default();
            sensor.captures.insert(capture, named.collect());
        }
    }
}

type RecordedCaptures = (PacketTally, Vec<(String, PacketsByActor)>);

/// Writes all captures of a sensor.
fn record_sensor(folder: &Path, simulation: &Simulation, at: usize) -> Result<RecordedCaptures, AppError> {
    let name = &simulation.scenario().sensors[at].name;
    let place = folder.join(name);
    make_folder(&place)?;
    let mut stream = simulation.stream(at);
    let mut captures = Vec::new();
    for day in simulation.days() {
        let mut cuts: Vec<(String, Timestamp)> = match simulation.scenario().captures {
            CaptureLength::Day => vec![(day.to_string(), Timestamp(i64::MAX))],
            CaptureLength::Hour => {
                let ends = simulation.hours(day).into_iter().skip(1);
                ends.enumerate().map(|(hour, end)| (format!("{day}T{hour:02}"), end)).collect()
            }
        };
        cuts.reverse();
        let mut open: Option<SimulatedCapture> = None;
        let mut failed = Ok(());
        stream.emit_day(day, &mut |shot, payload| {
            if failed.is_err() {
                return;
            }
            failed = SimulatedCapture::switch(&mut open, &mut cuts, &place, name, shot, &mut captures)
                .and_then(|capture| capture.add(shot, payload));
        });
        failed?;
        if let Some(capture) = open {
            captures.push(capture.close()?);
        }
    }
    Ok((stream.into_tally(), captures))
}

type Zstd = zstd::Encoder<'static, Replacement>;

/// A capture that is being written.
struct SimulatedCapture {
    path: PathBuf,
    name: String,
    end: Timestamp,
    packets_by_actor: PacketsByActor,
    out: PcapWriter<Zstd>,
}

impl SimulatedCapture {
    /// Returns the capture that a packet belongs to; closes the open capture if it has ended.
    fn switch<'a>(
        open: &'a mut Option<SimulatedCapture>,
        cuts: &mut Vec<(String, Timestamp)>,
        folder: &Path,
        sensor: &str,
        shot: &SimulatedPacket,
        closed: &mut Vec<(String, PacketsByActor)>,
    ) -> Result<&'a mut SimulatedCapture, AppError> {
        let time = shot.packet.time().unwrap_or_default();
        if let Some(ended) = open.take_if(|capture| capture.end <= time) {
            closed.push(ended.close()?);
        }
        if open.is_none() {
            while let Some((name, end)) = cuts.pop() {
                if time < end {
                    *open = Some(SimulatedCapture::create(folder, sensor, &name, end)?);
                    break;
                }
            }
        }
        let none = || AppError::Usage(format!("{sensor}: no capture for a packet at {time}"));
        open.as_mut().ok_or_else(none)
    }

    fn create(folder: &Path, sensor: &str, name: &str, end: Timestamp) -> Result<SimulatedCapture, AppError> {
        let path = folder.join(format!("{name}.pcap.zst"));
        let begin = || -> io::Result<PcapWriter<Zstd>> {
            PcapWriter::new(zstd::Encoder::new(Replacement::begin(&path)?, COMPRESSION)?)
        };
        let out = begin().map_err(|error| AppError::file(&path, error))?;
        Ok(SimulatedCapture {
            name: format!("{sensor}/{name}.pcap.zst"),
            path,
            end,
            packets_by_actor: PacketsByActor::default(),
            out,
        })
    }

    fn add(&mut self, shot: &SimulatedPacket, payload: &[u8]) -> Result<(), AppError> {
        self.packets_by_actor.count(shot);
        let written = self.out.packet(&shot.packet, payload, shot.has_options());
        written.map_err(|error| AppError::file(&self.path, error))
    }

    fn close(self) -> Result<(String, PacketsByActor), AppError> {
        let SimulatedCapture { path, name, packets_by_actor: by, out, .. } = self;
        let end = || -> io::Result<()> { out.into_inner().finish()?.commit() };
        end().map_err(|error| AppError::file(&path, error))?;
        Ok((name, by))
    }
}

/// Writes the files that are not captures: the samples, `sensors.yaml` and `truth.yaml`.
fn finish(
    folder: &Path,
    simulation: &Simulation,
    mut truth: GroundTruth,
) -> Result<SimulationSize, AppError> {
    make_folder(folder)?;
    let samples = simulation.samples();
    note_samples(&samples, &mut truth);
    for sample in &samples {
        let place = folder.join("samples").join(&sample.family);
        make_folder(&place)?;
        let files = [("report.yaml", sample.report.as_bytes()), (&sample.capture_name, &sample.capture)];
        for (name, bytes) in files {
            Output::File(place.join(name)).write(|out| out.write_all(bytes))?;
        }
    }
    let sensors = sensors_yaml(simulation)?;
    Output::File(folder.join("sensors.yaml")).write(|out| out.write_all(sensors.as_bytes()))?;
    let yaml = serde_yaml::to_string(&truth).map_err(|error| AppError::Usage(error.to_string()))?;
    let yaml = format!("schema: {}\n{yaml}", crate::escape::SCHEMA);
    Output::File(folder.join("truth.yaml")).write(|out| out.write_all(yaml.as_bytes()))?;
    Ok(SimulationSize {
        packets: truth.sensors.values().map(|sensor| sensor.packets).sum(),
        captures: truth.sensors.values().map(|sensor| sensor.captures.len() as u64).sum(),
        samples: samples.len(),
    })
}

fn sensors_yaml(simulation: &Simulation) -> Result<String, AppError> {
    #[derive(serde::Serialize)]
    struct SensorWithOutages<'a> {
        #[serde(flatten)]
        sensor: crate::history::Sensor,
        outages: &'a [crate::history::Outage],
    }
    let plans = &simulation.scenario().sensors;
    let entries = simulation
        .sensors()
        .zip(plans)
        .map(|(sensor, plan)| SensorWithOutages { sensor, outages: &plan.outages });
    let all = BTreeMap::from([("sensors", entries.collect::<Vec<_>>())]);
    serde_yaml::to_string(&all).map_err(|error| AppError::Usage(error.to_string()))
}

fn note_samples(samples: &[CaughtSample], truth: &mut GroundTruth) {
    truth.samples = samples.iter().map(|sample| (sample.md5.clone(), sample.family.clone())).collect();
}

/// Loads a sample as if its report and capture came from files.
fn load_caught_sample(
    sample: &CaughtSample,
    rules: &Rules,
    notices: &mut Notices,
) -> Result<LoadedSample, AppError> {
    let path = Path::new("samples").join(&sample.family).join("report.yaml");
    let defaults = CaptureOptions::default();
    load_with(
        &path,
        sample.report.clone(),
        &defaults,
        rules,
        notices,
        &mut |captured, options, notices, take| {
            let name = captured.1.path();
            let input = Input::Path(path.with_file_name(name));
            take(options.load_bytes(&sample.capture, name, rules)?, input, notices)
        },
    )
}

/// Returns the content hash of a simulated day: the hash of the parsed scenario and of everything else that
/// determines its packets.
fn content_hash(scenario: &Scenario, options: SimulateOptions, sensor: &str, day: Date) -> [u8; 32] {
    let SimulateOptions { seed, scale, .. } = options;
    *blake3::hash(format!("{scenario:?} {seed} {scale} {sensor} {day}").as_bytes()).as_bytes()
}

fn make_new_folder(folder: &Path) -> Result<(), AppError> {
    make_folder(folder)?;
    let mut entries = std::fs::read_dir(folder).map_err(|error| AppError::file(folder, error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            let folder = crate::escape::path(folder);
            Err(AppError::Usage(format!(
                "{folder} is not empty; give --output a new folder, or empty this one"
            )))
        }
    }
}
