//! Public keys that passed the strict check, kept so that each is checked once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use covey_core::Refusal;
use covey_core::identity::PublicKey;

/// Keys kept at most. A check costs one scalar multiplication, so forgetting all of them at the bound is cheap.
const KEPT: usize = 4_096;

static CHECKED: LazyLock<Mutex<HashMap<[u8; 32], PublicKey>>> = LazyLock::new(Mutex::default);

/// Check a key, or find that it was checked. The lock is held for the look-up only.
pub fn checked(bytes: [u8; 32]) -> Result<PublicKey, Refusal> {
    let known = CHECKED.lock().unwrap_or_else(PoisonError::into_inner).get(&bytes).copied();
    if let Some(key) = known {
        return Ok(key);
    }
    let key = PublicKey::from_bytes(bytes)?;
    let mut kept = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(bytes, key);
    Ok(key)
}
