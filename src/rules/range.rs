//! Counts and ranges of counts in rule files: `2`, `"3-"`, `"1-4"`.

use serde::Deserialize;

/// A range of counts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Range {
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a count like 2, or a range like \"3-\" or \"1-4\"")]
enum Written {
    Count(u64),
    Range(String),
}

impl TryFrom<Written> for Range {
    type Error = String;

    fn try_from(written: Written) -> Result<Range, String> {
        let text = match written {
            Written::Count(count) => return Ok(Range { first: count, last: count }),
            Written::Range(text) => text,
        };
        let wrong = || format!("`{}` is no range; write 2, \"3-\" or \"1-4\"", text.escape_debug());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first = first.trim().parse().map_err(|_| wrong())?;
        let last = match last.trim() {
            "" => u64::MAX,
            last => last.parse().map_err(|_| wrong())?,
        };
        if first <= last { Ok(Range { first, last }) } else { Err(wrong()) }
    }
}

impl Range {
    pub(super) fn contains(self, count: u64) -> bool {
        (self.first..=self.last).contains(&count)
    }
}
