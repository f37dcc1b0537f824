//! Unpadded base64url as the wire has it, read in its one spelling, with the widest vectors the processor has.
//!
//! Rules: what is taken and what is refused does not depend on the machine; tests hold both ways against each other.

use base64::Engine as _;

/// The bytes of `text`; `None` where it is not their canonical unpadded base64url.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    engine().decode(text).ok()
}

/// The 64 bytes of a signature, or `None` as for [`decode`].
pub fn decode_signature(text: &[u8]) -> Option<[u8; 64]> {
    let mut bytes = [0; 64];
    let length = engine().decode_slice(text, &mut bytes).ok()?;
    (length == bytes.len()).then_some(bytes)
}

/// Append the spelling of `bytes` to `out`.
pub fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    let (start, most) = (out.len(), bytes.len().div_ceil(3) * 4);
    out.resize(start + most, 0);
    // There is room for every character, padding included, so the fallback cannot run; it keeps this total.
    let written = engine().encode_slice(bytes, &mut out[start..]).unwrap_or_default();
    out.truncate(start + written);
}

/// AVX2 or NEON where the processor has it, plain code elsewhere; found out once.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn engine() -> &'static base64::engine::simd::Simd {
    use base64::engine::general_purpose::NO_PAD;
    use base64::engine::simd::Simd;
    use std::sync::OnceLock;

    static ENGINE: OnceLock<Simd> = OnceLock::new();
    ENGINE.get_or_init(|| Simd::url_safe(NO_PAD))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const fn engine() -> &'static base64::engine::GeneralPurpose {
    &base64::engine::general_purpose::URL_SAFE_NO_PAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    proptest! {
        /// Lengths on both sides of where vectors begin; one character changed to any other byte.
        #[test]
        fn vectors_take_and_refuse_what_plain_code_does(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in 0..4_usize,
        ) {
            let mut text = Vec::new();
            push(&mut text, &bytes);
            prop_assert_eq!(&text, &URL_SAFE_NO_PAD.encode(&bytes).into_bytes());
            text.truncate(text.len().saturating_sub(cut));
            if let Some((at, other)) = change && !text.is_empty() {
                let at = at.index(text.len());
                text[at] = other;
            }
            prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }

        #[test]
        fn a_signature_has_64_bytes(bytes in prop::collection::vec(any::<u8>(), 62..67)) {
            let read = decode_signature(URL_SAFE_NO_PAD.encode(&bytes).as_bytes());
            prop_assert_eq!(read.map(Vec::from), (bytes.len() == 64).then_some(bytes));
        }
    }

    #[test]
    fn another_spelling_is_refused() {
        let long = "A".repeat(200);
        let behind = ["=", "+", "é"].map(|end| format!("{long}{end}"));
        let short = ["QQ==", "QR", "Q", "Q+8", "Q/8", " QQ", "QQ\n"];
        for text in short.into_iter().chain(behind.iter().map(String::as_str)) {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode(b"QQ"), Some(b"A".to_vec()));
    }
}
