//! Where the published vectors and the recorded behaviour of the reference are, when this machine has them:
//! `COVEY_VECTORS` names the folder of vectors, or it lies beside the checkout.

use std::path::PathBuf;

use serde_json::Value;

/// The parsed file at `path` under the vectors' folder (`../golden/…` for recorded behaviour), or `None`, said aloud.
pub fn file(path: &str) -> Option<Value> {
    let root = std::env::var_os("COVEY_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    let file = root.join(path);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("skipped: no {path} here; set COVEY_VECTORS to the folder of vectors to run it");
        return None;
    };
    Some(serde_json::from_str(&text).expect("a file of vectors is JSON"))
}
