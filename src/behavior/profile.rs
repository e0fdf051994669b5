//! The numbers that the definitions of the engine leave open: window length, bins, limits.

use serde::{Deserialize, Serialize};

/// The behavior profile. Histories with different profiles cannot be joined, so every history stores the
/// profile's [`identity`](Profile::identity).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name at the start of every canonical string. It must change with any number in the
    /// [`identity`](Profile::identity).
    pub name: String,
    /// Length of a window in seconds, from the host's first packet; 30 in the nicter report (section 2.1).
    pub window_seconds: u32,
    /// Largest count that has a bin of its own; larger counts are binned by powers of two. A power of two.
    pub exact_counts_max: u64,
    /// Maximum number of ports that a type lists. A window with more ports has `*` instead.
    pub ports_listed_max: usize,
    /// Maximum number of facets of a window; those with the most packets are kept.
    pub facets_max: usize,
    /// First ephemeral destination port: no service is expected on this port or above. Linux takes its own
    /// ephemeral ports from here on, and IANA's dynamic range (from 49152) lies within.
    pub ephemeral_port_min: u16,
    /// Maximum number of distinct probes stored per window. Further packets are counted, but new probes are
    /// not stored; the window is marked as saturated, and its distinct counts are lower bounds.
    pub probes_per_window_max: usize,
    /// Maximum number of packets per window whose times are kept for its tile; 0 for none but the first.
    pub trace_packets_max: usize,
    /// Maximum number of hosts with an open window. At the limit the oldest window is closed early, which is
    /// counted.
    pub open_windows_max: usize,
}

impl Default for Profile {
    /// Returns `bt1`, the profile of the design. `rules/behavior.yaml` has the same numbers, with
    /// explanations.
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
    /// Returns a text that two histories must share to be joined: the name and every number that can change a
    /// type, shape or pattern.
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

    /// Returns the length of a window in nanoseconds.
    #[must_use]
    pub fn window_nanoseconds(&self) -> i64 {
        i64::from(self.window_seconds) * 1_000_000_000
    }

    /// Returns a message about the first invalid number, or `None` if all are valid.
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
