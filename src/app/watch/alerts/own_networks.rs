//! Addresses of the operator's own networks that send packets into a dark space: the alarm of DAEDALUS.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;

use crate::app::AppError;
use crate::app::history::coverage_of_sightings;
use crate::app::watch::OwnNetwork;
use crate::behavior::{Behavior, Parameters};
use crate::history::{Filter, SurgeBehavior, TypeFilter};
use crate::incident::{Alert, AlertKind, Incident};
use crate::packet::Timestamp;
use crate::rules::Rules;
use crate::store::HistoryStore;

/// Number of days of a sensor, up to its newest, that are looked at.
const DAYS: i64 = 2;

/// What an address did at a sensor.
struct DarkContact {
    first: Date,
    packets: u64,
}

/// Returns an alert for each address of the operator's own networks, and each pattern of it, that a sensor observed
/// on its newest days. Its key has the month, so that an address that stays is reported again in the next month.
///
/// # Errors
/// When the history cannot be read.
pub(in crate::app::watch) fn own_network_alerts(
    store: &dyn HistoryStore,
    rules: &Rules,
    networks: &[OwnNetwork],
    at: Timestamp,
) -> Result<Vec<Alert>, AppError> {
    let mut alerts = Vec::new();
    if networks.is_empty() {
        return Ok(alerts);
    }
    let incidents = store.incidents()?;
    for sensor in store.sensors()? {
        let coverage = coverage_of_sightings(store, &sensor.name)?;
        let Some(newest) = coverage.recorded_days.last() else { continue };
        let from = newest.saturating_sub(jiff::Span::new().days(DAYS - 1));
        for network in networks {
            let mut contacts: BTreeMap<(IpAddr, u64), DarkContact> = BTreeMap::new();
            let filter = Filter {
                types: TypeFilter::All,
                sources: Some(network.prefix),
                first: Some(from),
                last: None,
            };
            store.each_sighting(&sensor.name, &filter, &mut |sighting| {
                let contact = contacts
                    .entry((sighting.host, sighting.number))
                    .or_insert(DarkContact { first: sighting.day, packets: 0 });
                contact.first = contact.first.min(sighting.day);
                contact.packets += sighting.counts.packets;
            })?;
            for ((host, number), contact) in contacts {
                let parameters = store.type_record(number)?.parameters;
                let seen = Seen { host, network, sensor: &sensor.name, parameters: &parameters, contact };
                alerts.push(seen.alert(rules, &incidents, at));
            }
        }
    }
    Ok(alerts)
}

/// A contact with its host, network, sensor and the parameters of its windows.
struct Seen<'a> {
    host: IpAddr,
    network: &'a OwnNetwork,
    sensor: &'a str,
    parameters: &'a Parameters,
    contact: DarkContact,
}

impl Seen<'_> {
    fn alert(&self, rules: &Rules, incidents: &[Incident], at: Timestamp) -> Alert {
        let Seen { host, network, sensor, parameters, contact } = self;
        let pattern = Behavior::of_pattern(parameters, &rules.profile).id;
        let incident = incidents.iter().find(|one| one.ended.is_none() && one.patterns.contains(&pattern));
        let what = match parameters.service() {
            Some((protocol, port)) => SurgeBehavior::Service(protocol, port).notation(),
            None => parameters.protocol.to_string(),
        };
        // Answers to spoofed packets come from a host that somebody attacks, and that scans nothing.
        let kind = if parameters.protocol.only_answers() { "answers to spoofed packets" } else { "scans" };
        let belongs = incident.map_or_else(String::new, |one| format!("; as in incident {}", one.number));
        Alert {
            key: format!("own/{host}/{pattern}/{}", contact.first.strftime("%Y-%m")),
            kind: AlertKind::OwnNetwork,
            at,
            message: format!(
                "{host} ({}) in the dark space of sensor {sensor} on {}: {what}, {kind}, {} packets{belongs}",
                network.name, contact.first, contact.packets
            ),
            incident: incident.map(|one| one.number),
            sensor: Some((*sensor).to_owned()),
            host: Some(*host),
            network: Some(network.name.clone()),
        }
    }
}
