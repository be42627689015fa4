//! What a chain spec says of the genesis, in the forms of all years.
//!
//! ```text
//! raw:         2019      {key: value}
//! to spring    of 2020   [{key: value}, {child key: {key: value}}]
//!                        {top: {key: value}, children: {child key: {data: {key: value}, ...}}}
//!              since     {top: {key: value}, childrenDefault: {child name: {key: value}}}
//! not raw:     the code, in the configuration of the pallet that keeps it or beside it
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sp_core::storage::well_known_keys::DEFAULT_CHILD_STORAGE_KEY_PREFIX;

use super::{HexValue, Map, MapValue, Members, Object, Tries, expecting};
use crate::chain::state::Pairs;
use crate::hex::parse_digits;

/// `genesis` of a chain spec.
#[derive(Default)]
pub(crate) struct Genesis {
    pub(crate) raw: Option<Tries>,
    /// `stateRootHash` is there.
    pub(crate) root_only: bool,
    /// A form that a node has to expand first.
    pub(crate) plain: Option<Plain>,
}

/// What a node makes the genesis state of, in a chain spec that is not raw.
pub(crate) struct Plain {
    /// Its key path.
    pub(crate) path: String,
    /// The runtime's code, and where it is.
    pub(crate) code: Option<(String, Vec<u8>)>,
}

impl Members for Genesis {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match key {
            "raw" => self.raw = Some(map.next_value_seed(Raw(path))?),
            "stateRootHash" => {
                self.root_only = true;
                return Ok(false);
            }
            "runtimeGenesis" | "runtime" | "runtimeAndCode" => {
                let PlainCode(code) = map.next_value_seed(OrNull(path))?;
                self.plain = Some(Plain { path: path.to_owned(), code });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The code in a genesis that is not raw: directly, or in the configuration of the pallet that
/// keeps it, under the names that this pallet has had; test networks wrap all that once more.
#[derive(Default)]
struct PlainCode(Option<(String, Vec<u8>)>);

impl Members for PlainCode {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match key {
            "code" => {
                let code = map.next_value_seed(Code(path))?;
                if !code.is_empty() {
                    self.0 = Some((path.to_owned(), code));
                }
            }
            "system" | "frameSystem" | "consensus" | "runtime_genesis_config" => {
                let PlainCode(code) = map.next_value_seed(OrNull(path))?;
                self.0 = code.or(self.0.take());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Where the code may be, or null.
struct OrNull<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for OrNull<'_> {
    type Value = PlainCode;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PlainCode, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for OrNull<'_> {
    type Value = PlainCode;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "an object", self.0)
    }

    fn visit_none<E: Error>(self) -> Result<PlainCode, E> {
        Ok(PlainCode::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<PlainCode, D::Error> {
        Object::at(self.0).deserialize(deserializer)
    }
}

/// The raw state of a chain spec, in any of its forms.
struct Raw<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Raw<'_> {
    type Value = Tries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tries, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Raw<'_> {
    type Value = Tries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "an object or a list of two", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tries, A::Error> {
        let Some(key) = map.next_key::<String>()? else { return Ok(Tries::default()) };
        // The keys of the state itself, or the names of its parts.
        match key.starts_with("0x") {
            true => {
                let top = Map(self.0, HexValue).pairs(Some(key), map)?;
                Ok(Tries { path: self.0.to_owned(), top, ..Tries::default() })
            }
            false => Object::at(self.0).members(Some(key), map),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tries, A::Error> {
        let path = format!("{}[0]", self.0);
        let top = list.next_element_seed(Map(&path, HexValue))?.unwrap_or_default();
        let children = list.next_element_seed(Children(&format!("{}[1]", self.0)))?;
        if list.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::custom(format!("{} has more than two parts", self.0)));
        }
        Ok(Tries { path, top, children: children.unwrap_or_default() })
    }
}

/// Child tries by the full keys of their roots, as they were until spring 2020.
pub(crate) struct Children<'p>(pub(crate) &'p str);

impl<'de> DeserializeSeed<'de> for Children<'_> {
    type Value = BTreeMap<Vec<u8>, Pairs>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let by_key = Map(self.0, ChildValue).deserialize(deserializer)?;
        let by_name = |(key, pairs): (Vec<u8>, Pairs)| {
            let name = key.strip_prefix(DEFAULT_CHILD_STORAGE_KEY_PREFIX).ok_or_else(|| {
                D::Error::custom(format!("{}: a key is not that of a default child trie", self.0))
            })?;
            Ok((name.to_vec(), pairs))
        };
        by_key.into_iter().map(by_name).collect()
    }
}

/// The pairs of a child trie, or an object that has them as `data`.
#[derive(Clone, Copy)]
struct ChildValue;

impl MapValue for ChildValue {
    type Value = Pairs;

    fn read<'de, A: MapAccess<'de>>(self, path: &str, map: &mut A) -> Result<Pairs, A::Error> {
        map.next_value_seed(Child(path))
    }
}

struct Child<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Child<'_> {
    type Value = Pairs;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pairs, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Child<'_> {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "an object", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let Some(key) = map.next_key::<String>()? else { return Ok(Pairs::new()) };
        match key.starts_with("0x") {
            true => Map(self.0, HexValue).pairs(Some(key), map),
            false => Object::<ChildData>::at(self.0).members(Some(key), map).map(|child| child.0),
        }
    }
}

#[derive(Default)]
struct ChildData(Pairs);

impl Members for ChildData {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        if key == "data" {
            self.0 = map.next_value_seed(Map(path, HexValue))?;
        }
        Ok(key == "data")
    }
}

/// Code: hex text with or without `0x`, as nodes take it here, or a list of bytes.
struct Code<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Code<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Code<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "a hex string or a list of bytes", self.0)
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(Vec::new())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        parse_digits(digits, text.len() - digits.len())
            .map_err(|why| E::custom(format!("{}: {why}", self.0)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
