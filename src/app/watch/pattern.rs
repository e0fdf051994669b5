//! Patterns of paths: where the captures of a sensor arrive.

use std::path::{Path, PathBuf};

use regex::Regex;
use walkdir::WalkDir;

/// A pattern of paths. A pattern without wildcards names a file, or a folder whose files are all meant.
#[derive(Clone, Debug)]
pub(super) struct PathPattern {
    /// The folder in front of the first wildcard, or the whole path.
    base: PathBuf,
    /// What the path below the base must be; `None` for all files.
    below: Option<Regex>,
    /// Maximum number of folders below the base.
    depth: usize,
}

/// Maximum depth of folders that are searched.
const DEPTH_MAX: usize = 16;

impl PathPattern {
    /// Reads a pattern: `*` and `?` stand for characters of one name, `**` for any number of folders, and the
    /// fields of strftime for their digits. A name like `sensor=II` (Hive's) is an ordinary name.
    ///
    /// # Errors
    /// Returns what is wrong with it, with a remedy.
    pub(super) fn new(text: &str) -> Result<PathPattern, String> {
        if text.is_empty() {
            return Err("is empty; name a folder, a pattern or `-`".to_owned());
        }
        let is_wild = |part: &str| part.contains(['*', '?', '%']);
        let parts: Vec<&str> = text.split('/').collect();
        let Some(first) = parts.iter().position(|part| is_wild(part)) else {
            return Ok(PathPattern { base: PathBuf::from(text), below: None, depth: DEPTH_MAX });
        };
        let base = match parts[..first].join("/") {
            empty if empty.is_empty() && text.starts_with('/') => PathBuf::from("/"),
            base if base.is_empty() => PathBuf::from("."),
            base => PathBuf::from(base),
        };
        let mut expression = "^".to_owned();
        for (place, part) in parts[first..].iter().enumerate() {
            if *part == "**" {
                expression.push_str("(?:[^/]+/)*");
                continue;
            }
            expression.push_str(&part_expression(part)?);
            if first + place + 1 < parts.len() {
                expression.push('/');
            }
        }
        expression.push('$');
        let below = Regex::new(&expression).map_err(|error| error.to_string())?;
        let any_depth = parts[first..].contains(&"**");
        let depth = if any_depth { DEPTH_MAX } else { parts.len() - first };
        Ok(PathPattern { base, below: Some(below), depth })
    }

    /// Returns the files that match now, ascending by path, without hidden ones. What cannot be read is passed
    /// to `failed`.
    pub(super) fn files(&self, failed: &mut dyn FnMut(String)) -> Vec<PathBuf> {
        let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        let entries = WalkDir::new(&self.base)
            .max_depth(self.depth)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()));
        let mut files = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_type().is_file() && self.matches(entry.path()) => {
                    files.push(entry.into_path());
                }
                Ok(_) => {}
                // A folder that does not exist yet has no captures yet; files vanish when they are rotated.
                Err(error) if error.io_error().is_some_and(is_missing) => {}
                Err(error) => failed(crate::escape::escape_hidden(&error.to_string())),
            }
        }
        files
    }

    fn matches(&self, path: &Path) -> bool {
        let Some(below) = &self.below else { return true };
        let rest = path.strip_prefix(&self.base).ok().and_then(Path::to_str);
        rest.is_some_and(|rest| below.is_match(rest))
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Returns the regular expression of one name of a path.
fn part_expression(part: &str) -> Result<String, String> {
    let mut expression = String::new();
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            '%' => expression.push_str(match characters.next() {
                Some('Y') => "[0-9]{4}",
                Some('m' | 'd' | 'H' | 'M' | 'S' | 'y') => "[0-9]{2}",
                Some('j') => "[0-9]{3}",
                Some('s') => "[0-9]+",
                Some('F') => "[0-9]{4}-[0-9]{2}-[0-9]{2}",
                Some('%') => "%",
                other => {
                    let shown = other.map_or_else(String::new, |other| other.escape_default().to_string());
                    return Err(format!(
                        "`%{shown}` is no known field; known are %Y %m %d %H %M %S %y %j %s %F and %%"
                    ));
                }
            }),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    Ok(expression)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_what_they_name_and_nothing_else() {
        let folder = tempfile::TempDir::new().unwrap();
        let names = [
            "a/sensor=II/date=2020-01-02/x.pcap",
            "a/sensor=II/date=2020-01-02/.x.pcap.tmp",
            "a/b.pcap.gz",
            "c",
        ];
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| -> Vec<String> {
            let pattern = format!("{}/{pattern}", folder.path().to_str().unwrap());
            let files = PathPattern::new(&pattern).unwrap().files(&mut |error| panic!("{error}"));
            let name =
                |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
            files.iter().map(name).collect()
        };
        assert_eq!(found("a/sensor=II/date=%Y-%m-%d/*.pcap"), [names[0]]);
        assert_eq!(found("a/sensor=II/date=%F/?.pcap*"), [names[0]]);
        assert_eq!(found("a/**/*.pcap*"), [names[2], names[0]]);
        assert_eq!(found("a"), [names[2], names[0]]);
        assert_eq!(found("c"), [names[3]]);
        assert_eq!(found("a/*"), [names[2]]);
        assert_eq!(found("missing/*.pcap"), Vec::<String>::new());
        assert!(PathPattern::new("a/%Q.pcap").unwrap_err().contains("%Y"));
        assert!(PathPattern::new("").is_err());
    }
}
