//! The envelope that a relay routes by, read without reading what it carries (MMP 2.0 §4.4.4).
//!
//! Rules: a payload is lent exactly as it stands in the message, byte for byte; nothing of it is parsed beyond finding
//! its end. Only the receiver, who is a party to it, may [`peek`] at the type and the session of a payload.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

use crate::error::{Reason, Refusal};
use crate::json::Object;

/// One message between a relay and its client.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A frame of the relay's own, by its `type`.
    Relay(Cow<'a, str>),
    /// A client's frame for one node, or for everybody in its channel.
    Outbound {
        /// Whom it is for; `None` is everybody.
        to: Option<Cow<'a, str>>,
        /// The frame, untouched.
        payload: &'a str,
    },
    /// A frame that the relay forwards.
    Inbound {
        /// Who sent it, as the relay says.
        from: Cow<'a, str>,
        /// That node's name, as the relay says.
        from_name: Cow<'a, str>,
        /// The frame, untouched.
        payload: &'a str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    to: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    from_name: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "lent")]
    payload: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// Read one WebSocket text message.
    ///
    /// # Errors
    /// No UTF-8, no JSON object, or neither a `type` nor an envelope around a payload that is an object.
    pub fn read(message: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(message).map_err(|_| malformed("the message is no UTF-8"))?;
        let Ok(Object(wire)) = serde_json::from_str::<Object<Wire<'a>>>(text) else {
            return Err(malformed("neither a relay frame nor an envelope"));
        };
        let payload = wire.payload.map(RawValue::get).filter(|payload| payload.starts_with('{'));
        match (wire.r#type, wire.from, wire.from_name, payload) {
            (None, None, None, Some(payload)) => Ok(Self::Outbound { to: wire.to, payload }),
            (None, Some(from), from_name, Some(payload)) => {
                Ok(Self::Inbound { from, from_name: from_name.unwrap_or_default(), payload })
            }
            (Some(kind), None, None, None) if wire.to.is_none() && wire.payload.is_none() => Ok(Self::Relay(kind)),
            _ => Err(malformed("neither a relay frame nor an envelope")),
        }
    }
}

/// What a receiver must know of a payload to find the session it belongs to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Peek<'a> {
    /// Its `type`.
    pub kind: Cow<'a, str>,
    /// The session it names, where it names one as text.
    pub session_id: Option<Cow<'a, str>>,
}

/// Look at the type and the session of a frame.
///
/// # Errors
/// No JSON object with one string `type`; such a frame belongs to no session.
pub fn peek(frame: &[u8]) -> Result<Peek<'_>, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow, default, deserialize_with = "present")]
        session_id: Option<Cow<'a, str>>,
    }
    match serde_json::from_slice::<Object<Named<'_>>>(frame) {
        Ok(Object(named)) => Ok(Peek { kind: named.r#type, session_id: named.session_id }),
        Err(_) => Err(malformed("not a JSON object with a string type")),
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::MalformedFrame, detail)
}

/// Read an optional text that, where it is present, is not null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Lent<'a>(#[serde(borrow)] Cow<'a, str>);
    Lent::deserialize(deserializer).map(|Lent(text)| Some(text))
}

/// Lend a member as it stands, `null` included.
fn lent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reason(message: &[u8]) -> Reason {
        Message::read(message).unwrap_err().reason
    }

    #[test]
    fn a_payload_is_lent_as_it_stands() {
        let message =
            br#"{ "payload" : {"a":1.50e1, "a":"\ud800", "n":123456789012345678901234567890} , "to":"b\u006fb"}"#;
        let Ok(Message::Outbound { to, payload }) = Message::read(message) else { panic!("no envelope") };
        assert_eq!(to.as_deref(), Some("bob"));
        assert_eq!(payload, r#"{"a":1.50e1, "a":"\ud800", "n":123456789012345678901234567890}"#);
        assert!(message.as_ptr_range().contains(&payload.as_ptr()));
    }

    #[test]
    fn the_three_kinds_are_told_apart() {
        assert_eq!(Message::read(br#"{"type":"relay-ping"}"#), Ok(Message::Relay("relay-ping".into())));
        let broadcast = Message::Outbound { to: None, payload: "{}" };
        assert_eq!(Message::read(br#"{"payload":{}}"#), Ok(broadcast));
        let inbound = Message::Inbound { from: "a".into(), from_name: "al".into(), payload: "{}" };
        assert_eq!(Message::read(br#"{"from":"a","fromName":"al","payload":{}}"#), Ok(inbound));
    }

    #[test]
    fn everything_else_is_refused() {
        for message in [
            &b"null"[..],
            b"[]",
            b"7",
            b"",
            b"{",
            b"\xff\xfe",
            b"{\"payload\":{\"a\":\"\xff\"}}",
            b"{}",
            br#"{"type":null}"#,
            br#"{"type":7}"#,
            br#"{"type":"a","type":"b"}"#,
            br#"{"payload":null}"#,
            br#"{"payload":[1]}"#,
            br#"{"to":null,"payload":{}}"#,
            br#"{"to":"x"}"#,
            br#"{"type":"relay-ping","payload":{}}"#,
            br#"{"from":"a","to":"b","type":"c","payload":{}}"#,
            br#"{"payload":{}} {}"#,
        ] {
            assert_eq!(reason(message), Reason::MalformedFrame, "{}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!(r#"{{"payload":{{"a":{}1{}}}}}"#, "[".repeat(400_000), "]".repeat(400_000));
        assert!(matches!(Message::read(deep.as_bytes()), Ok(Message::Outbound { .. })));
        let torn = format!(r#"{{"payload":{}"#, r#"{"a":"#.repeat(200_000));
        assert_eq!(reason(torn.as_bytes()), Reason::MalformedFrame);
    }

    #[test]
    fn a_peek_sees_type_and_session_only() {
        let seen = peek(br#"{"type":"cmb-encrypted","sessionId":"ab","sealed":{"deep":[[]]}}"#).unwrap();
        assert_eq!((seen.kind.as_ref(), seen.session_id.as_deref()), ("cmb-encrypted", Some("ab")));
        assert_eq!(peek(br#"{"type":"ping"}"#).unwrap().session_id, None);
        for broken in ["null", r#"{"type":1}"#, r#"{"sessionId":"a"}"#, r#"{"type":"a","sessionId":7}"#] {
            assert!(peek(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_message_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for refusal in [Message::read(&bytes).err(), peek(&bytes).err()].into_iter().flatten() {
                prop_assert_eq!(refusal.reason, Reason::MalformedFrame);
            }
        }
    }
}
