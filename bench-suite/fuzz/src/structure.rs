//! Changes that keep a file's outer form, so that they reach what lies behind it: an image whose
//! records, headers and spans say something else, sealed again with the right hash; a chain spec or
//! block file whose tree, keys or encoded contents are others.

use anyhow::{Context, Result};
use lithify_bench::workload::hex;
use lithify_polkadot::parse_hex;
use lithify_runtime::abi::descriptor::{Descriptor, MAGIC, NONE, Note};
use lithify_runtime::abi::record::Field;
use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::ops::Range;

/// Where the parts of an image lie in its file.
#[derive(Clone)]
pub struct ImageParts {
    /// The contents of the note.
    note: usize,
    descriptor: usize,
    /// Headers, and everything else that is neither code nor the memory image.
    records: Vec<Range<usize>>,
}

impl ImageParts {
    /// Finds them in an image that is whole.
    pub fn of(image: &[u8]) -> Result<Self> {
        let find = |what: &[u8]| image.windows(what.len()).position(|window| window == what);
        let note = find(b"Lithify\0").context("an image has a note")? + 8;
        let descriptor = find(&MAGIC).context("an image has a descriptor")?;
        let metadata = Note::take(&mut &image[note..]).context("a note is whole")?.metadata_len;
        let metadata = descriptor..descriptor + metadata as usize;
        Ok(Self { note, descriptor, records: vec![0..512, metadata.clone(), metadata] })
    }

    /// Changes a word of a header or record, or a few, and makes length and hash right again.
    pub fn mutate(&self, image: &mut [u8], random: &mut ChaCha8Rng) {
        for _ in 0..1 << random.random_range(0..4) {
            match random.random_range(0..8) {
                // The words of the root decide most.
                0..3 => {
                    let end = self.descriptor + Descriptor::SIZE;
                    self.word(image, self.descriptor..end, random);
                }
                // Those of the records that it names.
                3..6 => {
                    let span = self.descriptor + self.span(random);
                    let [start, len] = [span, span + 4].map(|at| get(image, at) as usize);
                    let start = self.descriptor.saturating_add(start);
                    self.word(image, start..start.saturating_add(len), random);
                }
                6 => {
                    let part = self.records[random.random_range(0..self.records.len())].clone();
                    self.word(image, part, random);
                }
                // One list takes the place of another.
                _ => {
                    let [from, to] = [self.span(random), self.span(random)];
                    let from = self.descriptor + from;
                    if let Some(span) = image.get(from..from + 8).map(<[u8]>::to_vec) {
                        put(image, self.descriptor + to, &span);
                    }
                }
            }
        }
        self.seal(image);
    }

    /// The offset of a span in the descriptor: those between the code's hash and the sizes, and the
    /// two at the end.
    fn span(&self, random: &mut ChaCha8Rng) -> usize {
        const FIRST: usize = 80;
        const SPANS: usize = 14;
        match random.random_range(0..SPANS + 2) {
            index if index < SPANS => FIRST + 8 * index,
            index => Descriptor::SIZE - 8 * (index - SPANS + 1),
        }
    }

    /// Changes a word in `range`, as far as the file has it.
    fn word(&self, image: &mut [u8], range: Range<usize>, random: &mut ChaCha8Rng) {
        let end = range.end.min(image.len());
        let words = end.saturating_sub(range.start) / 4;
        if words == 0 {
            return;
        }
        let at = range.start + 4 * random.random_range(0..words);
        let [old, other] =
            [at, range.start + 4 * random.random_range(0..words)].map(|at| get(image, at));
        let len = image.len() as u32;
        let values = [
            0,
            1,
            NONE,
            1 << 31,
            i32::MAX as u32,
            old.wrapping_add(1),
            old.wrapping_sub(1),
            old.wrapping_mul(2),
            old ^ 1 << random.random_range(0..32),
            other,
            len,
            len - self.descriptor as u32,
            random.next_u32(),
            random.random_range(0..1 << 16),
            4096 * random.random_range(0..64),
        ];
        put(image, at, &values[random.random_range(0..values.len())].to_le_bytes());
    }

    /// Writes length and hash as the compiler would.
    fn seal(&self, image: &mut [u8]) {
        const LEN: usize = 8;
        let hash = self.note + Note::SIZE - 32;
        put(image, self.note + LEN, &(image.len() as u64).to_le_bytes());
        put(image, hash, &[0; 32]);
        let digest = blake3::hash(image);
        put(image, hash, digest.as_bytes());
    }

    /// Whether an instance of the image would run code before it is called.
    pub fn starts(image: &[u8]) -> bool {
        let at = image.windows(MAGIC.len()).position(|window| window == MAGIC);
        let descriptor = at.and_then(|at| Descriptor::take(&mut &image[at..]));
        descriptor.is_none_or(|descriptor| descriptor.start != NONE)
    }
}

fn get(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    word.map_or(0, |word| u32::from_le_bytes(*word))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Keys that mean something in one of the files.
const KEYS: &[&str] = &[
    "genesis",
    "raw",
    "top",
    "childrenDefault",
    "stateRootHash",
    "runtimeGenesis",
    "runtime",
    "code",
    "block",
    "header",
    "body",
    "parentStorage",
    "mainTrie",
    "childTries",
    "0x3a636f6465",
    "0x3a6865617070616765",
    "0x26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac",
    "0x3a6368696c645f73746f726167653a64656661756c743a63",
    "0x",
    "0x0",
];

/// Changes the tree of a JSON file in a few places, or bytes that it holds as hex; `bytes` changes
/// the latter.
pub fn mutate_json(
    text: &[u8],
    random: &mut ChaCha8Rng,
    bytes: fn(&mut Vec<u8>, &mut ChaCha8Rng),
) -> Vec<u8> {
    let Ok(mut tree) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
    for _ in 0..1 << random.random_range(0..4) {
        change(&mut tree, random, bytes);
    }
    let mut text = tree.to_string();
    // What no tree can hold: a key that is there twice, depth without end.
    match random.random_range(0..16) {
        0 => {
            let key = KEYS[random.random_range(0..KEYS.len())];
            text = text.replacen('{', &format!("{{\"{key}\":{{}},\"{key}\":[],"), 2);
        }
        1 => {
            let deep =
                ["[", "{\"a\":"][random.random_range(0..2)].repeat(1 << random.random_range(0..18));
            text = text.replacen(':', &format!(":{deep}"), 1);
        }
        _ => {}
    }
    text.into_bytes()
}

/// Goes down to some place, and changes it.
fn change(value: &mut Value, random: &mut ChaCha8Rng, bytes: fn(&mut Vec<u8>, &mut ChaCha8Rng)) {
    let down = random.random_bool(0.85);
    match value {
        Value::Object(members) if down && !members.is_empty() => {
            let key = random.random_range(0..members.len());
            let key = members.keys().nth(key).cloned().unwrap_or_default();
            match random.random_range(0..8) {
                0 => drop(members.remove(&key)),
                1 => {
                    let other = KEYS[random.random_range(0..KEYS.len())];
                    let value = members[&key].clone();
                    members.insert(other.into(), value);
                }
                2 => keys(members, random),
                _ => change(&mut members[&key], random, bytes),
            }
        }
        Value::Array(items) if down && !items.is_empty() => {
            let at = random.random_range(0..items.len());
            match random.random_range(0..4) {
                0 => drop(items.remove(at)),
                1 => {
                    let item = items[at].clone();
                    items.resize(items.len() + random.random_range(1..64), item);
                }
                _ => change(&mut items[at], random, bytes),
            }
        }
        Value::String(text) if random.random_bool(0.8) => {
            if let Ok(mut contents) = parse_hex(text) {
                for _ in 0..1 << random.random_range(0..4) {
                    bytes(&mut contents, random);
                }
                *text = format!("0x{}", hex(&contents));
            }
        }
        value => *value = other(random),
    }
}

/// Adds keys, some of which are the beginnings of others.
fn keys(members: &mut Map<String, Value>, random: &mut ChaCha8Rng) {
    let byte: u8 = random.random();
    for len in 0..random.random_range(1..200) {
        members.insert(format!("0x{}", hex(&vec![byte; len])), json!("0x01"));
    }
}

fn other(random: &mut ChaCha8Rng) -> Value {
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("0x"),
        json!("0X00"),
        json!("0x0"),
        json!("0xzz"),
        json!("\u{1b}[2J\u{0}\u{202e}"),
        json!("0x28b52ffd"),
        json!("0x52bc537646db8e0528b52ffd"),
        json!([]),
        json!([[], {}, null]),
        json!({}),
        json!({ "0x": "0x" }),
        json!([{}, {}]),
    ];
    values[random.random_range(0..values.len())].clone()
}
