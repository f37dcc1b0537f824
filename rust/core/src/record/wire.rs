//! The record's members as they stand in JSON: shapes only, closed, borrowed where they can be.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::category::{COUNT, Category};
use crate::json::Object;

/// Most unknown categories that are dropped before the record is refused; the specification names none.
const MAX_UNKNOWN_CATEGORIES: usize = 64;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireRecord<'a> {
    #[serde(borrow)]
    pub categories: WireCategories<'a>,
    #[serde(borrow)]
    pub metadata: Object<WireMetadata<'a>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WirePlaintext<'a> {
    #[serde(borrow)]
    pub categories: WireCategories<'a>,
    #[serde(borrow, default, deserialize_with = "some_text")]
    pub application_data: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WireMetadata<'a> {
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    #[serde(borrow)]
    pub address_scheme: Cow<'a, str>,
    #[serde(borrow)]
    pub assertion_id: Cow<'a, str>,
    #[serde(borrow)]
    pub signature_suite: Cow<'a, str>,
    #[serde(borrow)]
    pub created_by_node_id: Cow<'a, str>,
    #[serde(borrow)]
    pub created_by: Cow<'a, str>,
    pub created_timestamp: u64,
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "required")]
    pub to: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "required")]
    pub lineage: Option<Object<WireLineage<'a>>>,
    /// A whole record may leave it out (update 1 schema), an envelope may not.
    #[serde(borrow, default)]
    pub application: Stated<Object<WireApplication<'a>>>,
    #[serde(borrow)]
    pub sig_alg: Cow<'a, str>,
    #[serde(borrow)]
    pub sig: Cow<'a, str>,
}

/// A member of which it matters whether it was null or absent.
#[derive(Default)]
pub enum Stated<T> {
    #[default]
    Absent,
    Null,
    There(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        Option::deserialize(source).map(|value| value.map_or(Self::Null, Self::There))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireLineage<'a> {
    #[serde(borrow)]
    pub parents: Vec<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "some_text")]
    pub method: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WireApplication<'a> {
    #[serde(borrow)]
    pub media_type: Cow<'a, str>,
    #[serde(borrow)]
    pub schema: Cow<'a, str>,
    #[serde(borrow)]
    pub encoding: Cow<'a, str>,
    pub byte_length: u64,
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "some_text")]
    pub data: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireCategory<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    #[serde(borrow)]
    pub meta: Object<WireMeta<'a>>,
    #[serde(default, deserialize_with = "some_unit")]
    pub valence: Option<f64>,
    #[serde(default, deserialize_with = "some_unit")]
    pub arousal: Option<f64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireMeta<'a> {
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    #[serde(borrow)]
    pub parents: Vec<Cow<'a, str>>,
}

/// Exactly the seven; an unrecognised category is dropped (§8.8.5 step 1), a repeated one refused.
pub struct WireCategories<'a>(pub [WireCategory<'a>; COUNT]);

impl<'de: 'a, 'a> Deserialize<'de> for WireCategories<'a> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Seven<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Seven<'a> {
            type Value = WireCategories<'a>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("the seven categories")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut found: [Option<WireCategory<'a>>; COUNT] = std::array::from_fn(|_| None);
                let mut unknown: Vec<Cow<'a, str>> = Vec::new();
                while let Some(Name(name)) = members.next_key::<Name<'a>>()? {
                    if let Some(category) = Category::from_name(&name) {
                        let slot = &mut found[category.index()];
                        let Object(value) = members.next_value::<Object<WireCategory<'a>>>()?;
                        check_members::<A::Error>(category, &value)?;
                        if slot.replace(value).is_some() {
                            return Err(A::Error::custom(format_args!("duplicate member `{name}`")));
                        }
                    } else {
                        members.next_value::<IgnoredAny>()?;
                        if unknown.contains(&name) || unknown.len() == MAX_UNKNOWN_CATEGORIES {
                            return Err(A::Error::custom("categories: repeated or too many unknown members"));
                        }
                        unknown.push(name);
                    }
                }
                if found.iter().any(Option::is_none) {
                    return Err(A::Error::custom("categories: expected all seven"));
                }
                // Every slot is full here; the fallback cannot run and keeps this total.
                Ok(WireCategories(found.map(|slot| slot.unwrap_or_else(WireCategory::empty))))
            }
        }
        source.deserialize_map(Seven(std::marker::PhantomData))
    }
}

impl WireCategory<'_> {
    fn empty() -> Self {
        let meta = Object(WireMeta { key: Cow::Borrowed(""), parents: Vec::new() });
        Self { text: Cow::Borrowed(""), meta, valence: None, arousal: None }
    }
}

/// Only mood may carry valence and arousal, each in [-1, 1]; both are unsigned and dropped.
fn check_members<E: serde::de::Error>(category: Category, value: &WireCategory<'_>) -> Result<(), E> {
    let numbers = [value.valence, value.arousal];
    if category != Category::Mood && numbers.iter().any(Option::is_some) {
        return Err(E::custom(format_args!("{}: valence and arousal belong to mood", category.name())));
    }
    if numbers.iter().flatten().any(|number| !(-1.0..=1.0).contains(number)) {
        return Err(E::custom("mood: valence and arousal lie in [-1, 1]"));
    }
    Ok(())
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A member that must be there, be it null.
fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(source: D) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(source)
}

/// A text that may be absent but not null.
fn some_text<'de: 'a, 'a, D: Deserializer<'de>>(source: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Name::deserialize(source).map(|Name(text)| Some(text))
}

/// A number that may be absent but not null.
fn some_unit<'de, D: Deserializer<'de>>(source: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(source).map(Some)
}
