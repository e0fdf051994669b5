//! What ships in `samples/`: it is what the rooms under `make/` make, and inga says of it what it ought to.

use std::path::Path;

use crate::make::{Made, darknet, samples};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn plain(path: &str, bytes: &[u8]) -> Vec<u8> {
    match path.ends_with(".zst") {
        true => zstd::decode_all(bytes).unwrap(),
        false => bytes.to_vec(),
    }
}

/// With `INGA_MAKE=1` the files are written anew. Compressed files are compared by what they hold: another
/// version of the compressor may pack it otherwise.
#[test]
fn shipped_captures_are_what_their_makers_make() {
    let making = std::env::var_os("INGA_MAKE").is_some();
    for Made { path, bytes } in samples::all().into_iter().chain(darknet::all()) {
        let place = root().join("samples").join(&path);
        if making {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, &bytes).unwrap();
        }
        let shipped = std::fs::read(&place).unwrap();
        assert!(plain(&path, &shipped) == plain(&path, &bytes), "{path} is not what its maker makes");
    }
}

/// The README's pictures are those of the page that its first command makes.
#[test]
fn the_readmes_pictures_are_of_the_readmes_command() {
    let page = tempfile::TempDir::new().unwrap();
    let path = page.path().join("report.html");
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let command = readme.lines().find(|line| line.contains("cargo run --release -- correlate")).unwrap();
    let words: Vec<&str> = command.split_whitespace().skip_while(|word| *word != "correlate").collect();
    let mut args: Vec<&str> = words.into_iter().filter(|word| *word != "report.html").collect();
    args.push(crate::command::arg(&path));
    assert_eq!(crate::command::inga(&args).code, 0);
    let page = std::fs::read_to_string(&path).unwrap();
    let part = |from: &str| {
        let start = page.find(from).unwrap();
        let svg = start + page[start..].find("<svg").unwrap();
        page[svg..svg + page[svg..].find("</svg>").unwrap()].to_owned() + "</svg>\n"
    };
    args.truncate(args.len() - 2);
    let tiles = crate::command::inga(&[&args[..], &["--format", "svg"]].concat()).stdout;
    for (name, picture) in [("tiles.svg", tiles), ("series.svg", part("</figcaption></figure>"))] {
        let place = root().join(".github").join(name);
        if std::env::var_os("INGA_MAKE").is_some() {
            std::fs::write(&place, &picture).unwrap();
        }
        assert!(
            std::fs::read_to_string(&place).unwrap() == picture,
            ".github/{name} is not what the command draws"
        );
    }
}
