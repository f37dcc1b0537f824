//! Where the published vectors and the recorded behaviour of the reference are, when this machine has them:
//! `COVEY_VECTORS` and `COVEY_GOLDEN` name the folders, or they lie beside the checkout.

use std::path::PathBuf;

use serde_json::Value;

/// The parsed file at `path` below the folder of vectors, or `None`, said aloud. `../golden/…` is recorded behaviour.
pub fn file(path: &str) -> Option<Value> {
    let file = place(path);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: no {}; set COVEY_VECTORS to the folder of vectors to run it", file.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("a file of vectors is JSON"))
}

fn place(path: &str) -> PathBuf {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
    if let (Some(recorded), Some(golden)) = (path.strip_prefix("../golden/"), folder("COVEY_GOLDEN")) {
        return golden.join(recorded);
    }
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    folder("COVEY_VECTORS").unwrap_or_else(beside).join(path)
}
