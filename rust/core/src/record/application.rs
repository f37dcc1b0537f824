//! Application bytes that a record authenticates (MMP 2.0 §8.8.3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Reason, Refusal};
use crate::hash::{Digest, sha256};
use crate::{limits, text};

/// Bytes with a media type and a schema; length and digest are computed, never trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    media_type: String,
    schema: String,
    digest: Digest,
    data: Vec<u8>,
}

impl Application {
    /// Check and take application bytes to be minted.
    ///
    /// `media_type` is canonical lower case without parameters; `schema` is an absolute URI or empty.
    pub fn new(media_type: &str, schema: &str, data: Vec<u8>) -> Result<Self, Refusal> {
        if !(schema.is_empty() || is_absolute_uri(schema)) {
            return Err(Refusal::new(Reason::Schema, "application.schema: expected an absolute uri or nothing"));
        }
        Self::received(media_type, schema, data)
    }

    /// Check and take application bytes as they came. The published schema asks of `schema` only that it is
    /// a string, so a receiver refuses no more than that.
    pub(crate) fn received(media_type: &str, schema: &str, data: Vec<u8>) -> Result<Self, Refusal> {
        if !text::is_media_type(media_type) {
            return Err(Refusal::new(
                Reason::Schema,
                "application.mediaType: expected a lower-case media type without parameters",
            ));
        }
        if data.len() > limits::MAX_APPLICATION_BYTES {
            let detail = format!("application: {} bytes, at most {}", data.len(), limits::MAX_APPLICATION_BYTES);
            return Err(Refusal::new(Reason::TooLarge, detail));
        }
        if schema.len() > limits::MAX_SCHEMA_BYTES {
            return Err(Refusal::new(
                Reason::TooLarge,
                format!("application.schema: at most {} bytes", limits::MAX_SCHEMA_BYTES),
            ));
        }
        text::require_nfc(schema, "application.schema")?;
        let digest = sha256(&[&data]);
        Ok(Self { media_type: media_type.to_owned(), schema: schema.to_owned(), digest, data })
    }

    /// The media type.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The schema's absolute URI, or nothing.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The bytes as they travel: unpadded base64url.
    pub fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.data)
    }
}

/// Say whether `text` starts with a URI scheme (RFC 3986 §3.1) and goes on without spaces.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    scheme.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && !rest.chars().any(|character| character.is_whitespace() || character.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_checked() {
        assert!(Application::new("application/json", "https://example.org/s.json", b"{}".to_vec()).is_ok());
        assert!(Application::new("application/json", "", Vec::new()).is_ok());
        assert!(Application::new("text/plain; charset=utf-8", "", Vec::new()).is_err());
        assert!(Application::new("text/plain", "not a uri", Vec::new()).is_err());
        assert!(Application::new("text/plain", "urn:cafe\u{301}", Vec::new()).is_err());
        assert!(Application::new("text/plain", "", vec![0; limits::MAX_APPLICATION_BYTES + 1]).is_err());
    }
}
