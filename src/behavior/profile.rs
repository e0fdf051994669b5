//! The numbers that the engine's definitions leave open: bins, limits, window length.

use serde::{Deserialize, Serialize};

/// The behavior profile. Histories made with different profiles never join, so its
/// [`identity`](Profile::identity) is stored with every history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name that begins every canonical string; a change of any number below needs a new one.
    pub name: String,
    /// Length of a window in seconds from a host's first packet (seed, section 2.1: 30).
    pub window_seconds: u32,
    /// Counts up to here are their own bin, larger ones are binned by powers of two. A power of two.
    pub exact_counts_max: u64,
    /// A type lists its ports up to this many; beyond, they are `*`.
    pub ports_listed_max: usize,
    /// Facets kept of one window, those of most packets first.
    pub facets_max: usize,
    /// Destination ports from here on are ephemeral: no service is expected there (Linux begins its own
    /// ephemeral range at this port, IANA's dynamic range lies within).
    pub ephemeral_port_min: u16,
    /// Distinct probes remembered in one window. Beyond, packets are counted and new probes are not; the window
    /// is marked saturated, its distinct counts are lower bounds.
    pub probes_per_window_max: usize,
    /// Packets of a window whose times are kept for its tile.
    pub trace_packets_max: usize,
    /// Hosts with an open window at one time. Beyond, the oldest window is closed early, and counted.
    pub open_windows_max: usize,
}

impl Default for Profile {
    /// `bt1`, the profile of the design; `rules/behavior.yaml` says the same to people.
    fn default() -> Profile {
        Profile {
            name: "bt1".to_owned(),
            window_seconds: 30,
            exact_counts_max: 4,
            ports_listed_max: 16,
            facets_max: 16,
            ephemeral_port_min: 32_768,
            probes_per_window_max: 65_536,
            trace_packets_max: 512,
            open_windows_max: 4_000_000,
        }
    }
}

impl Profile {
    /// What must be equal for two histories to join: the name and every number that can change a type, a
    /// shape or a family.
    #[must_use]
    pub fn identity(&self) -> String {
        format!(
            "{}/w{}/e{}/p{}/f{}/h{}/n{}",
            self.name,
            self.window_seconds,
            self.exact_counts_max,
            self.ports_listed_max,
            self.facets_max,
            self.ephemeral_port_min,
            self.probes_per_window_max
        )
    }

    /// The window's length in nanoseconds.
    #[must_use]
    pub fn window_nanoseconds(&self) -> i64 {
        i64::from(self.window_seconds) * 1_000_000_000
    }

    /// What is wrong with the numbers, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_alphanumeric();
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Some("`name` must be letters and digits, like `bt1`".to_owned());
        }
        if self.window_seconds == 0 || self.window_seconds > 86_400 {
            return Some("`window_seconds` must lie between 1 and 86400".to_owned());
        }
        if !self.exact_counts_max.is_power_of_two() || self.exact_counts_max > 1 << 32 {
            return Some("`exact_counts_max` must be a power of two, like 4".to_owned());
        }
        if self.open_windows_max > 1 << 30 || self.probes_per_window_max > 1 << 30 {
            return Some(
                "`open_windows_max` and `probes_per_window_max` must not be more than 1073741824".to_owned(),
            );
        }
        let limits = [
            ("ports_listed_max", self.ports_listed_max),
            ("facets_max", self.facets_max),
            ("probes_per_window_max", self.probes_per_window_max),
            ("open_windows_max", self.open_windows_max),
        ];
        limits.iter().find(|(_, limit)| *limit == 0).map(|(name, _)| format!("`{name}` must not be 0"))
    }
}
