//! Rules on text: one normal form, and the grammars of names, rooms and tokens.

use std::borrow::Cow;

use unicode_general_category::{GeneralCategory as Class, get_general_category};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::error::{Reason, Refusal};
use crate::limits;

/// Say whether `text` is already in normal form C.
pub fn is_nfc(text: &str) -> bool {
    // Pure ASCII is the common case and always normal.
    text.is_ascii()
        || match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => true,
            IsNormalized::No => false,
            IsNormalized::Maybe => text.nfc().eq(text.chars()),
        }
}

/// Return `text` in normal form C, borrowed when it is so already.
pub fn nfc(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Refuse a signed string that is not in normal form C (update 1, §8.8.5 step 1).
pub fn require_nfc(text: &str, member: &str) -> Result<(), Refusal> {
    if is_nfc(text) { Ok(()) } else { Err(Refusal::new(Reason::NotNfc, format!("{member}: expected normal form C"))) }
}

/// Check a peer's name: 1 to 64 bytes of letters, marks, numbers, punctuation, symbols and spaces (§3.1).
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let refuse = |detail: String| Err(Refusal::new(Reason::InvalidName, detail));
    if name.is_empty() || name.len() > limits::MAX_NAME_BYTES {
        return refuse(format!("name: expected 1 to {} bytes, got {}", limits::MAX_NAME_BYTES, name.len()));
    }
    match name.chars().find(|&character| !is_name_character(character)) {
        Some(character) => refuse(format!("name: character U+{:04X} is not allowed", u32::from(character))),
        None => Ok(()),
    }
}

fn is_name_character(character: char) -> bool {
    !matches!(
        get_general_category(character),
        Class::Control
            | Class::Format
            | Class::Surrogate
            | Class::PrivateUse
            | Class::Unassigned
            | Class::LineSeparator
            | Class::ParagraphSeparator
    )
}

/// Say whether `room` is an identifier of §5.8: `[a-z0-9-_.]{1,64}`.
pub fn is_room(room: &str) -> bool {
    (1..=limits::MAX_ROOM_BYTES).contains(&room.len())
        && room.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

/// Check a room identifier (§5.8).
pub fn check_room(room: &str) -> Result<(), Refusal> {
    if is_room(room) {
        Ok(())
    } else {
        Err(Refusal::new(Reason::InvalidRoom, "room: expected 1 to 64 characters of a-z, 0-9, '-', '_', '.'"))
    }
}

/// Say whether `token` is an extension token: `[a-z0-9][a-z0-9._-]*` (§5.2).
pub fn is_extension_token(token: &str) -> bool {
    token.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && token.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

/// Say whether `media_type` is a canonical lower-case media type without parameters (§8.8.3).
pub fn is_media_type(media_type: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$&^_.+/-".contains(&byte);
    media_type.len() <= limits::MAX_MEDIA_TYPE_BYTES
        && media_type.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && media_type.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for good in ["a", "writer-02", "Ünïcode ✓", "日本"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a\u{0}b", "a\nb", "\u{202e}x", "\u{2028}", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rooms_and_tokens() {
        assert!(is_room("default") && is_room("a.b_c-9"));
        assert!(!is_room("") && !is_room("Default") && !is_room("a b") && !is_room(&"a".repeat(65)));
        assert!(is_extension_token("x-covey-delivery.v1") && !is_extension_token("-x") && !is_extension_token(""));
        assert!(is_media_type("application/json") && !is_media_type("Application/json") && !is_media_type("a; b"));
    }

    proptest! {
        #[test]
        fn nfc_is_idempotent_and_agrees_with_its_test(text in "\\PC{0,12}") {
            let normal = nfc(&text).into_owned();
            prop_assert!(is_nfc(&normal));
            prop_assert_eq!(nfc(&normal).into_owned(), normal.clone());
            prop_assert_eq!(is_nfc(&text), normal == text);
        }
    }
}
