//! Puts two reports on one sample together.

use super::SampleReport;
use super::report::PartialDate;

/// Maximum number of detections, names and YARA rules: a report must not exceed 1 MiB.
const LISTED_MAX: usize = 300;

impl SampleReport {
    /// Adds what another report on the same sample states: its captures, and all properties that this report
    /// does not state. A capture of the same path is the same run, and has the conditions of the other report.
    /// Of two dates of acquisition, the earlier one is kept.
    pub fn add(&mut self, other: SampleReport) {
        let identity = &mut self.identity;
        identity.md5 = identity.md5.take().or(other.identity.md5);
        identity.sha1 = identity.sha1.take().or(other.identity.sha1);
        identity.sha256 = identity.sha256.take().or(other.identity.sha256);
        self.family = self.family.take().or(other.family);
        extend(&mut self.detections, other.detections, LISTED_MAX);
        for (vendor, name) in other.names {
            if self.names.len() < LISTED_MAX {
                self.names.entry(vendor).or_insert(name);
            }
        }
        self.features.add(&other.features, LISTED_MAX);
        let dates: Vec<PartialDate> = [self.acquired, other.acquired].into_iter().flatten().collect();
        self.acquired = dates.into_iter().min_by_key(|date| date.first);
        self.discovered = self.discovered.take().or(other.discovered);
        self.origin = self.origin.take().or(other.origin);
        extend(&mut self.victims, other.victims, usize::MAX);
        extend(&mut self.dummy_servers, other.dummy_servers, usize::MAX);
        self.captures.retain(|own| other.captures.iter().all(|new| new.path() != own.path()));
        self.captures.extend(other.captures);
        extend(&mut self.without_capture, other.without_capture, LISTED_MAX);
        self.notes = self.notes.take().or(other.notes);
        self.expect = self.expect.take().or(other.expect);
    }

    /// Returns the report as YAML.
    ///
    /// # Errors
    /// When it cannot be written, with the reason.
    pub fn to_yaml(&self) -> Result<String, String> {
        serde_yaml::to_string(self).map_err(|error| error.to_string())
    }
}

/// Adds the items that are not in the list yet.
fn extend<T: PartialEq>(list: &mut Vec<T>, items: Vec<T>, items_max: usize) {
    for item in items {
        if list.len() < items_max && !list.contains(&item) {
            list.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_added_and_what_is_known_stays() {
        let mut report = SampleReport::parse(
            "identity: {md5: a2eaf57c47a118e91a5edf694685eee7}\nfamily: Mirai\nacquired: 2023-10-14\n\
             discovered: {date: 2009-03, source: Acme}\nnames: {Acme: One}\n\
             captures: [{path: run-1.pcap, run: {machine: a}}, log.txt]\nexpect: {windows: 3}\n",
        )
        .unwrap();
        let other = SampleReport::parse(
            "identity: {sha1: da39a3ee5e6b4b0d3255bfef95601890afd80709}\nfamily: Gafgyt\nacquired: 2023-10-12\n\
             names: {Acme: Two, Other: Two}\nfeatures: {file_name: \"\\u202e[\\n\", size: 5}\n\
             captures: [{path: run-1.pcap, run: {machine: b}}, {path: run-2.pcap, packets_per_second: 2.5}]\n",
        )
        .unwrap();
        report.add(other);
        let again = SampleReport::parse(&report.to_yaml().unwrap()).unwrap();
        assert_eq!(again, report);
        assert_eq!(report.id(), "a2eaf57c47a118e91a5edf694685eee7");
        assert!(report.identity.sha1.is_some());
        assert_eq!(
            (report.family.as_deref(), report.acquired.unwrap().to_string()),
            (Some("Mirai"), "2023-10-12".to_owned())
        );
        assert_eq!(report.names.values().collect::<Vec<_>>(), ["One", "Two"]);
        let runs: Vec<_> = report.captures.iter().map(|capture| capture.path()).collect();
        assert_eq!(runs, ["log.txt", "run-1.pcap", "run-2.pcap"]);
        assert_eq!(report.captures[1].run().unwrap().machine.as_deref(), Some("b"));
        assert_eq!(report.expect.unwrap().windows, Some(3));
    }
}
