//! The numbers of rules, as text.

use std::io::{self, Write};

use crate::rules::RuleCounts;

/// Writes how many rules of each kind are valid.
///
/// # Errors
/// Fails if `out` cannot be written to.
pub fn text(out: &mut dyn Write, counts: &RuleCounts) -> io::Result<()> {
    let RuleCounts { labels, tools, payloads, infrastructure, services, families } = counts;
    writeln!(
        out,
        "all hold: {labels} labels, {tools} tools, {payloads} payloads, {infrastructure} plumbing, \
         {services} answering services, {families} families"
    )
}
