//! The option that selects behaviors.

use crate::app::AppError;
use crate::app::filter_notation::{check_label, parse_filter};
use crate::app::series::TrafficFilter;
use crate::rules::Rules;

use super::help::FILTER;

/// The option that selects the behaviors to count.
#[derive(Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Only this behavior: `445/tcp`, `icmp`, `type:ID`, `shape:ID`, `pattern:ID`, `label:ID`,
    /// `signature:FEATURES` (`signature:syn,seq=destination`); may be given more than once, and each behavior is then
    /// counted separately
    #[arg(long, alias = "of", value_name = "BEHAVIOR", value_parser = parse_filter, help_heading = FILTER)]
    filter: Vec<TrafficFilter>,
}

impl FilterArgs {
    /// Returns the behaviors to count separately; without the option, all windows as one.
    pub(super) fn all(&self, rules: &Rules) -> Result<Vec<TrafficFilter>, AppError> {
        self.filter.iter().try_for_each(|filter| check_label(filter, rules))?;
        Ok(if self.filter.is_empty() { vec![TrafficFilter::All] } else { self.filter.clone() })
    }
}
