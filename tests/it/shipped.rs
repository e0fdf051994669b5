//! What ships in `samples/`: it is what the rooms under `make/` make, and inga says of it what it ought to.

use std::path::{Path, PathBuf};

use crate::make::{Made, darknet, samples};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
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
        let place = folder().join(&path);
        if making {
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(&place, &bytes).unwrap();
        }
        let shipped = std::fs::read(&place).unwrap();
        assert!(plain(&path, &shipped) == plain(&path, &bytes), "{path} is not what its maker makes");
    }
}
