//! Reads the two JSON forms, a chain spec and a block file, in one streaming pass.
//!
//! Everything carries its key path, because a message that names line 1 of a file without line
//! breaks helps nobody. Only what is asked for is kept; unknown keys are skipped without recursion.

mod genesis;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::chain::state::Pairs;
use crate::hex::parse_hex;
use genesis::Children;
pub(crate) use genesis::{Genesis, Plain};

/// What the file has; nothing is known of its meaning yet.
#[derive(Default)]
pub(crate) struct Document {
    pub(crate) genesis: Option<Genesis>,
    pub(crate) block: Option<RawBlock>,
    pub(crate) parent: Option<Tries>,
}

/// A main trie and its default child tries, by name without prefix.
#[derive(Default)]
pub(crate) struct Tries {
    /// Key path of the main trie.
    pub(crate) path: String,
    pub(crate) top: Pairs,
    pub(crate) children: BTreeMap<Vec<u8>, Pairs>,
}

/// `block` of a block file.
#[derive(Default)]
pub(crate) struct RawBlock {
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<Vec<u8>>,
}

pub(crate) fn read(bytes: &[u8]) -> Result<Document, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = Object::<Document>::at("").deserialize(&mut json)?;
    json.end()?;
    Ok(document)
}

/// A value that is built from the members of an object.
trait Members: Default {
    /// Takes the value of `key`, whose path is `path`; unknown keys are the caller's to skip.
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error>;
}

impl Members for Document {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match key {
            "genesis" => self.genesis = Some(map.next_value_seed(Object::at(path))?),
            "block" => self.block = Some(map.next_value_seed(Object::at(path))?),
            "parentStorage" => self.parent = Some(map.next_value_seed(Object::at(path))?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for Tries {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match key {
            "top" | "mainTrie" => {
                self.top = map.next_value_seed(Map(path, HexValue))?;
                self.path = path.to_owned();
            }
            "childrenDefault" | "childTries" => {
                self.children.extend(map.next_value_seed(Map(path, PairsValue))?);
            }
            "children" => self.children.extend(map.next_value_seed(Children(path))?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for RawBlock {
    fn member<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match key {
            "header" => self.header = map.next_value_seed(Hex(path))?,
            "body" => self.body = map.next_value_seed(HexList(path))?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn join(path: &str, key: &str) -> String {
    match path.is_empty() {
        true => key.to_owned(),
        false => format!("{path}.{key}"),
    }
}

/// An object at a path.
struct Object<'p, T> {
    path: &'p str,
    value: T,
}

impl<'p, T: Members> Object<'p, T> {
    fn at(path: &'p str) -> Self {
        let value = T::default();
        Self { path, value }
    }
}

impl<'de, T: Members> DeserializeSeed<'de> for Object<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members> Visitor<'de> for Object<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "an object", self.path)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        self.members(None, map)
    }
}

impl<T: Members> Object<'_, T> {
    /// Reads the members; `first` is a key that was read already.
    fn members<'de, A: MapAccess<'de>>(
        mut self,
        mut first: Option<String>,
        mut map: A,
    ) -> Result<T, A::Error> {
        let mut seen = Vec::new();
        let mut next = |map: &mut A| match first.take() {
            Some(key) => Ok(Some(key)),
            None => map.next_key::<String>(),
        };
        while let Some(key) = next(&mut map)? {
            let path = join(self.path, &key);
            if !self.value.member(&key, &path, &mut map)? {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            // The second value would silently win otherwise.
            if seen.contains(&path) {
                return Err(A::Error::custom(format!("{path} is there twice")));
            }
            seen.push(path);
        }
        Ok(self.value)
    }
}

/// What the values of a map with hex keys are.
trait MapValue: Copy {
    type Value;

    fn read<'de, A: MapAccess<'de>>(self, path: &str, map: &mut A)
    -> Result<Self::Value, A::Error>;
}

/// Hex text.
#[derive(Clone, Copy)]
struct HexValue;

impl MapValue for HexValue {
    type Value = Vec<u8>;

    fn read<'de, A: MapAccess<'de>>(self, path: &str, map: &mut A) -> Result<Vec<u8>, A::Error> {
        map.next_value_seed(Hex(path))
    }
}

/// A map of hex to hex.
#[derive(Clone, Copy)]
struct PairsValue;

impl MapValue for PairsValue {
    type Value = Pairs;

    fn read<'de, A: MapAccess<'de>>(self, path: &str, map: &mut A) -> Result<Pairs, A::Error> {
        map.next_value_seed(Map(path, HexValue))
    }
}

/// An object whose keys are hex text.
struct Map<'p, V>(&'p str, V);

impl<'de, V: MapValue> DeserializeSeed<'de> for Map<'_, V> {
    type Value = BTreeMap<Vec<u8>, V::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, V: MapValue> Visitor<'de> for Map<'_, V> {
    type Value = BTreeMap<Vec<u8>, V::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "an object", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.pairs(None, map)
    }
}

impl<V: MapValue> Map<'_, V> {
    /// Reads the entries; `first` is a key that was read already.
    fn pairs<'de, A: MapAccess<'de>>(
        self,
        mut first: Option<String>,
        mut map: A,
    ) -> Result<BTreeMap<Vec<u8>, V::Value>, A::Error> {
        let mut entries = BTreeMap::new();
        let mut next = |map: &mut A| match first.take() {
            Some(key) => Ok(Some(key)),
            None => map.next_key::<String>(),
        };
        while let Some(key) = next(&mut map)? {
            let path = format!("{}[{:?}]", self.0, shorten(&key));
            let bytes =
                parse_hex(&key).map_err(|why| A::Error::custom(format!("{path}: key {why}")))?;
            let value = self.1.read(&path, &mut map)?;
            if entries.insert(bytes, value).is_some() {
                return Err(A::Error::custom(format!("{path} is there twice")));
            }
        }
        Ok(entries)
    }
}

/// A list of hex texts.
struct HexList<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for HexList<'_> {
    type Value = Vec<Vec<u8>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for HexList<'_> {
    type Value = Vec<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "a list of hex strings", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) =
            list.next_element_seed(Hex(&format!("{}[{}]", self.0, items.len())))?
        {
            items.push(item);
        }
        Ok(items)
    }
}

/// Hex text, decoded without a copy of the text.
struct Hex<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Hex<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<u8>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Hex<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expecting(f, "a hex string", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        parse_hex(text).map_err(|why| E::custom(format!("{}: {why}", self.0)))
    }
}

fn expecting(f: &mut fmt::Formatter<'_>, what: &str, path: &str) -> fmt::Result {
    match path.is_empty() {
        true => write!(f, "{what} at the top"),
        false => write!(f, "{what} at {path}"),
    }
}

/// A key may be as long as the file.
fn shorten(key: &str) -> &str {
    key.get(..80).unwrap_or(key)
}
