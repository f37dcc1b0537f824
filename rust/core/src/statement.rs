//! Statements of covey's own: a kind and a body under one signature, told apart from everything else that is signed.

use crate::error::{Reason, Refusal};
use crate::identity::{PublicKey, SigningKey};
use crate::netstring::Writer;
use crate::signature::verify_bytes;
use crate::text;

const DOMAIN: &str = "covey-statement-v1\n";

/// The signed bytes: the domain tag, then `lp(kind)` and `lp(body)`.
fn payload(kind: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if !text::is_extension_token(kind) {
        return Err(Refusal::new(Reason::InvalidArgument, "statement: its kind is no token"));
    }
    let mut writer = Writer::new(DOMAIN);
    writer.lp_str(kind).lp(body);
    Ok(writer.into_bytes())
}

/// Sign `body` as a statement of this kind.
///
/// # Errors
/// The kind is no token.
pub fn sign(kind: &str, body: &[u8], key: &SigningKey) -> Result<[u8; 64], Refusal> {
    Ok(key.sign_bytes(&payload(kind, body)?))
}

/// Verify that the holder of `key` made this statement of this kind.
///
/// # Errors
/// The kind is no token, or the signature does not hold under the strict rule.
pub fn verify(kind: &str, body: &[u8], signature: &[u8; 64], key: &PublicKey) -> Result<(), Refusal> {
    verify_bytes(&payload(kind, body)?, signature, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_holds_for_its_kind_its_body_and_its_key_only() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let other = SigningKey::from_seed(&[8; 32]).unwrap();
        let signature = sign("covey-test-v1", b"body", &key).unwrap();
        assert!(verify("covey-test-v1", b"body", &signature, key.public()).is_ok());
        assert!(verify("covey-test-v2", b"body", &signature, key.public()).is_err());
        assert!(verify("covey-test-v1", b"bodY", &signature, key.public()).is_err());
        assert!(verify("covey-test-v1", b"body", &signature, other.public()).is_err());
        assert!(sign("no token", b"", &key).is_err());
    }
}
