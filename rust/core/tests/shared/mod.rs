//! Where the published vectors and the recorded behaviour of the reference are, when this machine has them:
//! `COVEY_VECTORS` and `COVEY_GOLDEN` name the folders, or they lie beside the checkout.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

/// The parsed file at `path` below the folder of vectors, or `None`, said aloud. `../golden/…` is recorded behaviour.
pub fn file(path: &str) -> Option<Value> {
    let file = place(path);
    let Ok(text) = std::fs::read_to_string(&file) else {
        let (thread, missing) = (std::thread::current(), file.display());
        let test = thread.name().unwrap_or("a test");
        // Not `eprintln`, which the runner keeps to itself where a test passes: nobody would hear of it.
        let said = format!("skipped: {test}: no {missing}; set COVEY_VECTORS to the folder of vectors to run it\n");
        std::io::stderr().write_all(said.as_bytes()).expect("stderr is open");
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
