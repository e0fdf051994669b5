//! Counts and ranges of counts in rule files: `2`, `"3-"`, `"1-4"`.

use serde::Deserialize;

/// A range of counts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenRange")]
pub(super) struct CountRange {
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a count like 2, or a range like \"3-\" or \"1-4\"")]
enum WrittenRange {
    Count(u64),
    Range(String),
}

impl TryFrom<WrittenRange> for CountRange {
    type Error = String;

    fn try_from(written: WrittenRange) -> Result<CountRange, String> {
        let text = match written {
            WrittenRange::Count(count) => return Ok(CountRange { first: count, last: count }),
            WrittenRange::Range(text) => text,
        };
        let wrong = || format!("`{}` is no range; write 2, \"3-\" or \"1-4\"", text.escape_debug());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first = first.trim().parse().map_err(|_| wrong())?;
        let last = match last.trim() {
            "" => u64::MAX,
            last => last.parse().map_err(|_| wrong())?,
        };
        if first <= last { Ok(CountRange { first, last }) } else { Err(wrong()) }
    }
}

impl CountRange {
    pub(super) fn contains(self, count: u64) -> bool {
        (self.first..=self.last).contains(&count)
    }
}
