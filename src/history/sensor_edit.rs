//! Edits of a sensor's settings.

use ipnet::IpNet;
use jiff::civil::Date;

use super::{DatedPrefix, Sensor, SensorFault, SensorKind};

/// Changes to a sensor. In each list, removals are applied first, then ends, then additions, so that one edit
/// can replace a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SensorEdit {
    /// The new kind; `None` to keep the present one.
    pub kind: Option<SensorKind>,
    /// Changes to the dark prefixes.
    pub dark: PrefixEdit,
    /// Changes to the live prefixes, which are excluded from the dark ones.
    pub live: PrefixEdit,
}

/// Changes to a list of prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixEdit {
    /// Prefixes to remove, with all their dates.
    pub remove: Vec<IpNet>,
    /// Prefixes to end, with their last day.
    pub end: Vec<(IpNet, Date)>,
    /// Prefixes to add.
    pub add: Vec<DatedPrefix>,
}

impl SensorEdit {
    /// Returns the edited sensor, whose settings are valid.
    ///
    /// # Errors
    /// Returns [`SensorFault::UnknownPrefix`] if a prefix to remove or end is not listed, and otherwise the errors
    /// of [`Sensor::validate`].
    pub fn apply(&self, sensor: &Sensor) -> Result<Sensor, SensorFault> {
        let mut edited = sensor.clone();
        edited.kind = self.kind.unwrap_or(sensor.kind);
        self.dark.apply(&sensor.name, &mut edited.prefixes)?;
        self.live.apply(&sensor.name, &mut edited.live)?;
        edited.validate()?;
        Ok(edited)
    }
}

impl PrefixEdit {
    fn apply(&self, sensor: &str, prefixes: &mut Vec<DatedPrefix>) -> Result<(), SensorFault> {
        for gone in &self.remove {
            let before = prefixes.len();
            prefixes.retain(|known| known.prefix.trunc() != gone.trunc());
            if prefixes.len() == before {
                return Err(no_prefix(sensor, gone.to_string(), prefixes));
            }
        }
        for (ending, last) in &self.end {
            let is_it =
                |known: &&mut DatedPrefix| known.prefix.trunc() == ending.trunc() && known.is_valid_on(*last);
            match prefixes.iter_mut().find(is_it) {
                Some(known) => known.to = Some(*last),
                None => return Err(no_prefix(sensor, format!("{ending} on {last}"), prefixes)),
            }
        }
        prefixes.extend(self.add.iter().cloned());
        Ok(())
    }
}

fn no_prefix(sensor: &str, wanted: String, prefixes: &[DatedPrefix]) -> SensorFault {
    let known: Vec<String> = prefixes.iter().map(DatedPrefix::to_string).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    SensorFault::UnknownPrefix { sensor: sensor.to_owned(), wanted, known }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn sensor() -> Sensor {
        Sensor {
            name: "II".to_owned(),
            kind: SensorKind::Dark,
            prefixes: vec![net("192.0.2.0/24").into(), net("198.51.100.0/24").into()],
            live: vec![net("192.0.2.0/28").into()],
            time_zone: "UTC".to_owned(),
        }
    }

    #[test]
    fn prefixes_end_begin_and_go() {
        let last = date(2009, 3, 9);
        let moved = DatedPrefix { prefix: net("203.0.113.0/24"), from: last.tomorrow().ok(), to: None };
        let edit = SensorEdit {
            kind: Some(SensorKind::Mixed),
            dark: PrefixEdit {
                remove: vec![net("198.51.100.0/24")],
                end: vec![(net("192.0.2.0/24"), last)],
                add: vec![moved.clone()],
            },
            live: PrefixEdit { remove: vec![net("192.0.2.0/28")], ..PrefixEdit::default() },
        };
        let edited = edit.apply(&sensor()).unwrap();
        let ended = DatedPrefix { to: Some(last), ..DatedPrefix::from(net("192.0.2.0/24")) };
        let wanted = Sensor {
            kind: SensorKind::Mixed,
            prefixes: vec![ended.clone(), moved],
            live: vec![],
            ..sensor()
        };
        assert_eq!(edited, wanted);
        // One edit can replace a prefix, because removals are applied first.
        let replaced = PrefixEdit { remove: vec![ended.prefix], add: vec![ended], ..PrefixEdit::default() };
        assert!(SensorEdit { dark: replaced, ..SensorEdit::default() }.apply(&edited).is_ok());
        assert_eq!(SensorEdit::default().apply(&edited), Ok(edited));
    }

    #[test]
    fn what_is_not_there_cannot_go() {
        let refused = |dark: PrefixEdit, live: PrefixEdit, words: &[&str]| {
            let edit = SensorEdit { kind: None, dark, live };
            let message = edit.apply(&sensor()).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "`{word}` in {message}");
            }
        };
        let none = PrefixEdit::default;
        let remove = |prefix: &str| PrefixEdit { remove: vec![net(prefix)], ..none() };
        refused(remove("192.0.2.0/25"), none(), &["`II` has no prefix 192.0.2.0/25", "198.51.100.0/24"]);
        refused(none(), remove("192.0.2.0/24"), &["no prefix 192.0.2.0/24", "192.0.2.0/28"]);
        let both = vec![net("192.0.2.0/24"), net("198.51.100.0/24")];
        refused(PrefixEdit { remove: both, ..none() }, none(), &["no dark address"]);
        let again = vec![net("192.0.2.0/24").into()];
        refused(PrefixEdit { add: again, ..none() }, none(), &["192.0.2.0/24", "twice"]);
        let later = DatedPrefix { prefix: net("203.0.113.0/24"), from: Some(date(2009, 3, 9)), to: None };
        let end = vec![(later.prefix, date(2009, 3, 8))];
        let early = Sensor { prefixes: vec![later], live: vec![], ..sensor() };
        let edit = SensorEdit { dark: PrefixEdit { end, ..none() }, ..SensorEdit::default() };
        let message = edit.apply(&early).unwrap_err().to_string();
        assert!(message.contains("2009-03-08") && message.contains("from 2009-03-09"), "{message}");
    }
}
