//! The layout of `src/`: each type name is defined once, and no two files import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use regex::Regex;

/// The circles that are left, by room. The list may only become shorter: a circle that is mended is removed from it.
const CIRCLES_LEFT: [&str; 0] = [];

/// The code of each file of `src/`, without comments and tests, by module path (`capture::text::time`).
fn modules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&root).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&root).unwrap();
        let is_test = path.file_stem().is_some_and(|stem| stem.to_str().unwrap().ends_with("tests"));
        if path.extension().is_none_or(|extension| extension != "rs") || is_test {
            continue;
        }
        let name = path.with_extension("").to_str().unwrap().replace('/', "::");
        let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
        modules.insert(name, product(&std::fs::read_to_string(entry.path()).unwrap()));
    }
    modules
}

/// The part of a file before its tests, without comments.
fn product(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    lines.join("\n")
}

/// The names of types that a file defines.
fn types(code: &str) -> Vec<String> {
    let definition =
        Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|union|type) ([A-Z]\w*)").unwrap();
    let associated = Regex::new(r"^\s+(?:pub(?:\([^)]*\))? )?type ").unwrap();
    let names = definition.captures_iter(code).filter(|found| !associated.is_match(&found[0]));
    names.map(|found| found[1].to_owned()).collect()
}

/// Type names that are defined more than once, with the modules that define them.
fn repeated_types(modules: &BTreeMap<String, String>) -> Vec<String> {
    let mut defined: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (module, code) in modules {
        types(code).into_iter().for_each(|name| defined.entry(name).or_default().push(module));
    }
    let repeated = defined.into_iter().filter(|(_, places)| places.len() > 1);
    repeated.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

/// The paths of a `use` tree: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim().to_owned()];
    };
    let group = group.rsplit_once('}').map_or(group, |(inner, _)| inner);
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let member = &group[start..at];
                start = (at + 1).min(group.len());
                if !member.trim().is_empty() {
                    paths.extend(expand(member).into_iter().map(|path| format!("{before}{path}")));
                }
            }
            _ => {}
        }
    }
    paths
}

/// All paths that the code of a module names, made absolute: those of `use` trees, and others that begin with
/// `crate` or `super`.
fn paths(module: &str, code: &str, modules: &BTreeMap<String, String>) -> Vec<String> {
    static IMPORTS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?ms)^\s*(?:pub(?:\([^)]*\))? )?use ([^;]+);").unwrap());
    static INLINE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap());
    let trees = IMPORTS.captures_iter(code).flat_map(|found| expand(&found[1]));
    let others = INLINE.find_iter(code).map(|found| found.as_str().to_owned());
    trees.chain(others).filter_map(|path| absolute(module, &path, modules)).collect()
}

/// A path from the root of the crate; `None` for other crates.
fn absolute(module: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut parents: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").peekable();
    match parts.peek().copied()? {
        "crate" => {
            parts.next();
            parents.clear();
        }
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.peek() == Some(&"super") {
                parts.next();
                parents.pop();
            }
        }
        child if modules.contains_key(&format!("{module}::{child}")) => {}
        _ => return None,
    }
    parents.extend(parts);
    Some(parents.join("::"))
}

/// The module that defines what a path names: the longest module in front, or the one from which that module
/// takes the name. `named` holds the paths that each module names.
fn origin(path: &str, named: &BTreeMap<&str, Vec<String>>, depth: usize) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let module = |length: &usize| parts[..*length].join("::");
    let length = (1..=parts.len()).rev().find(|length| named.contains_key(module(length).as_str()))?;
    let module = module(&length);
    let Some(name) = parts.get(length) else { return Some(module) };
    let taken = named[module.as_str()]
        .iter()
        .find(|other| depth > 0 && other.rsplit("::").next() == Some(*name) && *other != path);
    Some(taken.and_then(|other| origin(other, named, depth - 1)).unwrap_or(module))
}

fn is_below(module: &str, ancestor: &str) -> bool {
    module.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Groups of files of one room that import each other, directly or through others. A file may use the `mod.rs` of a
/// folder that it lies in, and that file may use what is in its folder.
fn circles(modules: &BTreeMap<String, String>) -> Vec<String> {
    let room = |module: &str| module.split("::").next().unwrap_or_default().to_owned();
    let mut edges: BTreeSet<(&str, String)> = BTreeSet::new();
    let named: BTreeMap<&str, Vec<String>> =
        modules.iter().map(|(module, code)| (module.as_str(), paths(module, code, modules))).collect();
    for (module, paths) in &named {
        for target in paths.iter().filter_map(|path| origin(path, &named, 4)) {
            if room(&target) == room(module) && !is_below(module, &target) && !is_below(&target, module) {
                edges.insert((module, target));
            }
        }
    }
    let graph: DiGraphMap<&str, ()> = edges.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let circles = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
    let mut named: Vec<String> = circles
        .map(|mut circle| {
            circle.sort_unstable();
            circle.join(" ")
        })
        .collect();
    named.sort_unstable();
    named
}

#[test]
fn each_type_name_is_defined_once() {
    assert_eq!(repeated_types(&modules()), Vec::<String>::new());
}

#[test]
fn no_two_files_import_each_other() {
    let modules = modules();
    assert!(modules.len() > 150, "{} files", modules.len());
    assert_eq!(circles(&modules), CIRCLES_LEFT);
}

#[test]
fn planted_breaches_are_found() {
    let planted = |files: &[(&str, &str)]| -> BTreeMap<String, String> {
        files.iter().map(|(name, code)| ((*name).to_owned(), product(code))).collect()
    };
    let twice = planted(&[
        ("a::x", "pub(super) struct Table;\nimpl T for Table { type Error = (); }"),
        ("b", "enum Table {}\n#[cfg(test)]\nmod tests { struct Other; }"),
        ("c", "// struct Table;\nstruct Other;"),
    ]);
    assert_eq!(repeated_types(&twice), ["Table: a::x, b"]);
    let around = planted(&[
        ("a", "mod x;\nmod y;\nmod z;\npub use x::{One, Other};\nuse y::two;"),
        ("a::x", "use super::y::two;\npub struct One;"),
        ("a::y", "use super::z;\npub fn two() {}"),
        // Through the name that the parent passes on.
        ("a::z", "use std::fmt;\nuse crate::{a::{One as First, fmt}, b};"),
        ("b", "use crate::a::One;"),
    ]);
    assert_eq!(circles(&around), ["a::x a::y a::z"]);
    let fine = planted(&[
        ("a", "mod x;\nmod y;\npub use x::One;\npub struct Own;"),
        ("a::x", "use super::Own;\npub struct One;"),
        ("a::y", "use super::{One, Own};"),
    ]);
    assert_eq!(circles(&fine), Vec::<String>::new());
}
