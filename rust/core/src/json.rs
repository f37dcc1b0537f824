//! Strict JSON for bytes that a peer chose: bounded depth, no repeated member, nothing after the value.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Reason, Refusal};
use crate::limits::MAX_JSON_DEPTH;

/// Refuse nesting deeper than `max_depth`, before any parser follows it.
pub fn check_depth(bytes: &[u8], max_depth: usize) -> Result<(), Refusal> {
    // Nothing nests deeper than it has openings, in strings or not; counting them needs no branch.
    if openings(bytes) <= max_depth {
        return Ok(());
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > max_depth {
                    return Err(Refusal::new(Reason::JsonTooDeep, format!("json: nested deeper than {max_depth}")));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn openings(bytes: &[u8]) -> usize {
    // By blocks whose count fits a byte: sixteen or more are compared at a time.
    let block = |block: &[u8]| block.iter().fold(0_u8, |count, byte| count + u8::from(byte | 0x20 == b'{'));
    bytes.chunks(255).map(|bytes| usize::from(block(bytes))).sum()
}

/// Parse any JSON value under the strict rules.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, Refusal> {
    check_depth(bytes, MAX_JSON_DEPTH)?;
    read::<Unique>(bytes).map(|value| value.0).map_err(|error| malformed(&error))
}

/// Parse a JSON object into `T` under the strict rules. `T` denies unknown members by itself.
pub fn parse_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Refusal> {
    check_depth(bytes, MAX_JSON_DEPTH)?;
    read::<Object<T>>(bytes).map(|object| object.0).map_err(|error| malformed(&error))
}

/// Read a value from bytes. Whether they are UTF-8 is asked once for all of them, not for each text in them.
pub fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        // What is wrong with them, and where, is the reader's to say.
        Err(_) => serde_json::from_slice(bytes),
    }
}

/// Parse an owned `T` from a JSON object.
pub fn parse_object_owned<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    parse_object(bytes)
}

fn malformed(error: &serde_json::Error) -> Refusal {
    let reason = if error.is_data() { Reason::Schema } else { Reason::MalformedJson };
    Refusal::new(reason, format!("json: {error}"))
}

/// Reads `T` from a JSON object only. A derived reader would also take an array in its place.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Object<T>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        source.deserialize_map(OnlyMap(std::marker::PhantomData))
    }
}

/// A JSON value in which no object repeats a member.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a json value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Unique(value) = members.next_value()?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate member `{name}`")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_name_their_reason() {
        let reason = |bytes: &[u8]| parse_strict(bytes).map_err(|refusal| refusal.reason);
        assert!(reason(br#"{"a":[1,2.5,"x",null,true]}"#).is_ok());
        assert_eq!(reason(br#"{"a":1,"a":2}"#), Err(Reason::Schema));
        assert_eq!(reason(b"{} {}"), Err(Reason::MalformedJson));
        assert_eq!(reason(b"\xff"), Err(Reason::MalformedJson));
        assert_eq!(reason(br#""\ud800""#), Err(Reason::MalformedJson));
        assert_eq!(reason("[".repeat(129).as_bytes()), Err(Reason::JsonTooDeep));
        assert!(reason(format!("{}{}", "[".repeat(127), "]".repeat(127)).as_bytes()).is_ok());
        assert!(reason(br#""[[[[\"[[""#).is_ok());
    }

    #[test]
    fn an_array_is_not_an_object() {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair {
            a: u8,
        }
        assert_eq!(parse_object::<Pair>(br#"{"a":1}"#).map(|pair| pair.a), Ok(1));
        assert!(parse_object::<Pair>(b"[1]").is_err());
        assert!(parse_object::<Pair>(br#"{"a":1,"a":1}"#).is_err());
        assert!(parse_object::<Pair>(br#"{"a":1,"b":1}"#).is_err());
    }

    proptest! {
        #[test]
        fn garbage_gives_a_value_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_strict(&bytes);
        }
    }
}
