//! Pictures as files: the report's figures by one command, panels, grounds, pixels.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::command::{arg, inga, words};

fn drawn(args: &[&str], to: &Path) -> Vec<u8> {
    let done = inga(&[&["series", "--darknet", "samples/darknet"], args, &["-o", arg(to)]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    std::fs::read(to).unwrap()
}

/// The pictures in the README are those that its command makes; `INGA_MAKE=1` makes them anew.
#[test]
#[cfg(unix)]
fn the_reports_figures_are_made_by_one_command() {
    let folder = TempDir::new().unwrap();
    let readme = std::fs::read_to_string("README.md").unwrap();
    let script = "samples/scenarios/figures.sh";
    assert!(readme.contains(script));
    let done = Command::new("sh")
        .args([script, arg(folder.path())])
        .env("INGA", env!("CARGO_BIN_EXE_inga"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let told = |figure: &str| words(&read(&format!("figure-{figure}.svg")));
    for (figure, words) in [
        ("3a", "packets"),
        ("3b", "unique hosts"),
        ("3c", "445/tcp"),
        ("4", "kinds of type"),
        ("5", "windows, sensor III"),
        ("6-types-1-2", "seed-type-2"),
        ("6-types-3-4", "seed-type-4"),
        ("7", "high-port-probe"),
        ("9-10", "192.168.20.21 beside Sensor I"),
        ("11", "W32.SillyFDC.BAW (a2eaf57c47a1) discovered"),
    ] {
        assert!(told(figure).contains(words), "figure {figure}: {}", told(figure));
    }
    for figure in ["3a", "3b", "3c", "4", "5", "11"] {
        assert!(told(figure).contains("data loss"), "figure {figure} shades sensor II's outage");
    }
    assert_eq!(read("figure-8.txt").matches(":445  scan").count(), 18);
    let shown: Vec<PathBuf> = readme
        .split("(.github/")
        .filter_map(|rest| rest.split_once(')'))
        .filter(|(name, _)| name.starts_with("figure-"))
        .map(|(name, _)| PathBuf::from(name))
        .collect();
    assert!(shown.len() >= 5, "{shown:?}");
    for name in shown {
        let (made, place) = (folder.path().join(&name), Path::new(".github").join(&name));
        if std::env::var_os("INGA_MAKE").is_some() {
            std::fs::copy(&made, &place).unwrap();
        }
        assert!(std::fs::read(&made).unwrap() == std::fs::read(&place).unwrap(), "{}", name.display());
    }
}

#[test]
fn panels_stand_below_each_other_and_have_one_axis_of_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("panels.svg");
    let svg = String::from_utf8(drawn(&["--panels", "sensor", "--value", "hosts"], &path)).unwrap();
    let told = words(&svg);
    assert!(
        told.contains("unique hosts, sensor north") && told.contains("unique hosts, sensor south"),
        "{told}"
    );
    let document = roxmltree::Document::parse(&svg).unwrap();
    let labels: Vec<(&str, &str)> = document
        .descendants()
        .filter_map(|node| Some((node.text()?, node.attribute("x")?)))
        .filter(|(text, _)| *text == "2009-01")
        .collect();
    assert!(labels.len() == 2 && labels[0] == labels[1], "{labels:?}");
    let values = ["--panels", "value", "--value", "hosts", "--value", "packets", "--value", "types"];
    let told = words(&String::from_utf8(drawn(&values, &path)).unwrap());
    assert!(told.contains("kinds of type") && told.contains("packets"), "{told}");
    assert_eq!(inga(&[&["series", "--darknet", "samples/darknet"], &values[2..]].concat()).code, 2);
}

#[test]
fn a_theme_is_the_readers_or_the_one_that_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plot.svg");
    let of = |theme: &str| String::from_utf8(drawn(&["--theme", theme], &path)).unwrap();
    let [auto, light, dark] = ["auto", "light", "dark"].map(of);
    assert!(auto.contains("prefers-color-scheme: dark"));
    for (one, other) in [(&light, &dark), (&dark, &light)] {
        assert!(!one.contains("prefers-color-scheme") && !one.contains("var("), "one ground, written out");
        assert!(words(one).len() > 100 && words(one).contains("unique hosts"));
        assert_ne!(one, other);
    }
}

#[test]
#[cfg(not(feature = "png"))]
fn a_program_without_png_refuses_it_and_names_the_feature() {
    let folder = TempDir::new().unwrap();
    let png = folder.path().join("plot.png");
    let refused = inga(&["series", "--darknet", "samples/darknet", "-o", arg(&png)]);
    assert!(refused.code == 2 && refused.stderr.contains("--features png") && !png.exists());
}
