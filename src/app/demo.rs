//! Use case: makes a small telescope with an outbreak, for people who have none yet.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::history::{HostSet, Sighting};
use crate::rules::Rules;
use crate::simulate::Scenario;
use crate::store::{HistoryStore, LocalStore};

use super::explain::surge_filter;
use super::incidents::update_incidents;
use super::series::each_sighting;
use super::simulate::{SimulateOptions, simulate_to_history};
use super::watch::OwnNetwork;
use super::{AppError, Notices, now};

/// The scenario, which also ships as a file for `inga simulate`.
const SCENARIO: &str = include_str!("../../samples/scenarios/demo.yaml");

/// A telescope that was made.
#[derive(Clone, Debug)]
pub struct Demo {
    /// The folder of its history.
    pub history: PathBuf,
    /// A network with a host that takes part in the outbreak, as one's own.
    pub own_networks: Vec<OwnNetwork>,
}

/// Makes the telescope in a folder that does not exist yet, with its incidents.
///
/// # Errors
/// When the folder exists or cannot be written to.
pub fn make_demo(folder: &Path, rules: &Rules, notices: &mut Notices) -> Result<Demo, AppError> {
    let scenario =
        Scenario::parse(SCENARIO).map_err(|error| AppError::yaml(Path::new("demo.yaml"), &error))?;
    let options = SimulateOptions { seed: 1, scale: 1.0, threads: super::thread_count(None) };
    simulate_to_history(folder, &scenario, options, rules, notices)?;
    let history = folder.join("history");
    let mut store = LocalStore::open_to_write(&history, &rules.profile)?;
    update_incidents(&mut store, rules, now())?;
    let own_networks = own_network(&store, rules)?.into_iter().collect();
    Ok(Demo { history, own_networks })
}

/// Returns the /24 of one of the hosts of the largest incident.
fn own_network(store: &dyn HistoryStore, rules: &Rules) -> Result<Option<OwnNetwork>, AppError> {
    let incidents = store.incidents()?;
    let Some(largest) = incidents.iter().max_by_key(|incident| incident.hosts()) else { return Ok(None) };
    let Some(at) = largest.sensors.first() else { return Ok(None) };
    let mut hosts = HostSet::default();
    let filter = surge_filter(&largest.title.behavior);
    let mut add = |sighting: &Sighting| hosts.insert(sighting.host);
    each_sighting(store, &at.sensor, &filter, rules, (Some(at.first), Some(at.last)), None, &mut add)?;
    let host = hosts.iter().find(std::net::IpAddr::is_ipv4);
    let prefix = host.and_then(|host| IpNet::new(host, 24).ok());
    Ok(prefix.map(|prefix| OwnNetwork { prefix: prefix.trunc(), name: "Head office".to_owned() }))
}
