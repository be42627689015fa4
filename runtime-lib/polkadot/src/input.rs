//! Recognises what a file holds and turns it into the code of a runtime, with the state and the
//! block that came with it.
//!
//! The hash is that of the code as stored, compressed or not: chains identify code by it.

pub mod block_file;
mod json;

use std::borrow::Cow;
use std::fmt;

use crate::chain::block::{Block, Header, is_length_prefixed};
use crate::chain::code::{BLOB_MARKER, POLKAVM_MAGIC, WASM_MAGIC, begin, first};
pub use crate::chain::code::{CodeError, decompress};
use crate::chain::state::State;
use crate::chain::version::{self, RuntimeVersion, VersionError};
use crate::hex::parse_hex;
use json::{Document, Genesis, Plain, RawBlock, Tries};
use sp_core::storage::StateVersion;
use sp_core::storage::well_known_keys::CODE;
use sp_core::{Blake2Hasher, Hasher};

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// How a chain spec becomes raw.
macro_rules! to_raw {
    () => {
        "convert it with `build-spec --raw` of the chain's node, or `chain-spec-builder \
         convert-to-raw`"
    };
}

/// What a file holds.
#[derive(Clone)]
pub enum Input {
    /// The code of a runtime.
    Runtime(Box<RuntimeInput>),
    /// An ELF file: an image, or an object.
    Image(Vec<u8>),
}

/// A runtime and what came with it.
#[derive(Clone)]
pub struct RuntimeInput {
    /// In which form it came.
    pub form: Form,
    /// The code as stored, perhaps compressed.
    pub code: Vec<u8>,
    /// BLAKE2b-256 of `code`.
    pub code_hash: [u8; 32],
    /// The version that the code embeds; without it only `Core_version` tells.
    pub version: Option<RuntimeVersion>,
    /// The state, by the state version of `version`, or version 0 when that is not known: see
    /// [`State::set_version`].
    pub state: Option<State>,
    /// The block to execute on that state.
    pub block: Option<Block>,
    wasm: Option<Vec<u8>>,
}

/// The form of a runtime's file. `Display` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A WebAssembly module.
    Wasm,
    /// A compressed one.
    Zstd,
    /// `0x` and the hex digits of either.
    Hex,
    /// A raw chain spec.
    ChainSpec,
    /// A chain spec of which a node has to make the state first; the code is in it.
    PlainSpec,
    /// A block with the state of its parent.
    BlockFile,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wasm => "WebAssembly module",
            Self::Zstd => "compressed WebAssembly module",
            Self::Hex => "hex text of a WebAssembly module",
            Self::ChainSpec => "raw chain spec",
            Self::PlainSpec => "chain spec that is not raw",
            Self::BlockFile => "block with parent state",
        })
    }
}

impl Form {
    /// Why there is no state in a file of this form, and the way to one. It continues the file's
    /// name.
    pub fn no_state(self) -> &'static str {
        match self {
            Self::PlainSpec => concat!(
                "has no state, only what a node makes it of; give a raw chain spec: ",
                to_raw!()
            ),
            _ => "has no state; give a raw chain spec or a block file",
        }
    }
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// None of the forms.
    #[error(
        "{name}: neither WebAssembly, compressed code, hex text, chain spec, block file nor image; \
         it begins with {}", begin(.head)
    )]
    Unknown {
        /// The file.
        name: String,
        /// Its first bytes.
        head: Vec<u8>,
    },
    /// The code itself.
    #[error("{place}: {error}")]
    Code {
        /// The file, and where in it.
        place: String,
        /// What is wrong.
        error: CodeError,
    },
    /// Not the JSON we know.
    #[error("{name}: {error}")]
    Json {
        /// The file.
        name: String,
        /// What is wrong, with the key path.
        error: serde_json::Error,
    },
    /// A known form with a part missing or malformed.
    #[error("{name}: {message}")]
    Content {
        /// The file.
        name: String,
        /// What is wrong, with the key path and the way out.
        message: String,
    },
    /// The embedded version.
    #[error("{name}: {error}")]
    Version {
        /// The file.
        name: String,
        /// What is wrong.
        error: VersionError,
    },
}

impl Input {
    /// Whether a file may be one of the forms that [`read`](Self::read) takes when it begins with
    /// `bytes`, or is that and no more.
    pub fn may_be(bytes: &[u8]) -> bool {
        Contents::of(bytes).is_some()
    }

    /// Recognises `bytes`. `name` is for messages, usually the file's.
    pub fn read(bytes: Vec<u8>, name: &str) -> Result<Self, InputError> {
        let runtime = match Contents::of(&bytes) {
            Some(Contents::Elf) => return Ok(Self::Image(bytes)),
            Some(Contents::Code(form)) => RuntimeInput::new(form, bytes, name, "")?,
            Some(Contents::Hex) => from_hex(bytes.trim_ascii(), name)?,
            Some(Contents::Json) => from_json(bytes.trim_ascii(), name)?,
            None => return Err(unknown(name, &bytes)),
        };
        Ok(Self::Runtime(Box::new(runtime)))
    }
}

/// What a file holds, by how it begins.
enum Contents {
    Elf,
    Code(Form),
    Hex,
    Json,
}

impl Contents {
    fn of(bytes: &[u8]) -> Option<Self> {
        let text = bytes.trim_ascii_start();
        Some(match bytes {
            _ if bytes.starts_with(ELF_MAGIC) => Self::Elf,
            _ if bytes.starts_with(BLOB_MARKER) => Self::Code(Form::Zstd),
            _ if bytes.starts_with(WASM_MAGIC) => Self::Code(Form::Wasm),
            _ if bytes.starts_with(POLKAVM_MAGIC) => Self::Code(Form::Wasm),
            _ if text.starts_with(b"0x") => Self::Hex,
            _ if text.starts_with(b"{") => Self::Json,
            _ => return None,
        })
    }
}

impl RuntimeInput {
    fn new(form: Form, code: Vec<u8>, name: &str, path: &str) -> Result<Self, InputError> {
        let wasm = decompress(&code).map_err(|error| InputError::Code {
            place: match path.is_empty() {
                true => name.to_owned(),
                false => format!("{name}: {path}"),
            },
            error,
        })?;
        let version = version::embedded(&wasm)
            .map_err(|error| InputError::Version { name: name.to_owned(), error })?;
        let wasm = match wasm {
            Cow::Borrowed(_) => None,
            Cow::Owned(wasm) => Some(wasm),
        };
        Ok(Self {
            form,
            code_hash: Blake2Hasher::hash(&code).0,
            wasm,
            version,
            code,
            state: None,
            block: None,
        })
    }

    /// The WebAssembly module.
    pub fn wasm(&self) -> &[u8] {
        self.wasm.as_deref().unwrap_or(&self.code)
    }

    fn state_version(&self) -> StateVersion {
        let version = self.version.as_ref();
        version.map_or(StateVersion::V0, RuntimeVersion::state_version)
    }
}

fn from_hex(text: &[u8], name: &str) -> Result<RuntimeInput, InputError> {
    let content = |message| content(name, message);
    let text =
        str::from_utf8(text).map_err(|_| content("hex text with other characters".into()))?;
    let code = parse_hex(text).map_err(|why| content(format!("the text {why}")))?;
    RuntimeInput::new(Form::Hex, code, name, "")
}

fn from_json(text: &[u8], name: &str) -> Result<RuntimeInput, InputError> {
    let document =
        json::read(text).map_err(|error| InputError::Json { name: name.to_owned(), error })?;
    match document {
        Document { block: Some(block), parent: Some(parent), .. } => {
            from_block_file(block, parent, name)
        }
        Document { genesis: Some(genesis), .. } => from_genesis(genesis, name),
        _ => Err(content(
            name,
            "JSON, but neither a chain spec (no genesis) nor a block file (no block and \
             parentStorage)"
                .into(),
        )),
    }
}

fn from_genesis(genesis: Genesis, name: &str) -> Result<RuntimeInput, InputError> {
    let raw = match genesis {
        Genesis { raw: Some(raw), .. } => raw,
        Genesis { root_only: true, .. } => {
            let message = "the chain spec holds only the root of the genesis state \
                (genesis.stateRootHash), not the state; take the full spec of the chain, or the \
                code alone";
            return Err(content(name, message.into()));
        }
        Genesis { plain: Some(Plain { code: Some((path, code)), .. }), .. } => {
            return RuntimeInput::new(Form::PlainSpec, code, name, &path);
        }
        Genesis { plain: Some(Plain { path, .. }), .. } => {
            let message = format!("the chain spec is not raw ({path}); {}", to_raw!());
            return Err(content(name, message));
        }
        _ => return Err(content(name, "the chain spec has no genesis.raw".into())),
    };
    with_state(Form::ChainSpec, raw, name)
}

fn from_block_file(block: RawBlock, parent: Tries, name: &str) -> Result<RuntimeInput, InputError> {
    let header = Header::decode(&block.header)
        .map_err(|error| content(name, format!("block.header: {error}")))?;
    for (i, extrinsic) in block.body.iter().enumerate() {
        if !is_length_prefixed(extrinsic) {
            let message = format!("block.body[{i}] does not begin with its own length");
            return Err(content(name, message));
        }
    }
    let mut runtime = with_state(Form::BlockFile, parent, name)?;
    runtime.block = Some(Block { header, extrinsics: block.body });
    Ok(runtime)
}

fn with_state(form: Form, tries: Tries, name: &str) -> Result<RuntimeInput, InputError> {
    let path = match (&*tries.path, form) {
        ("", Form::ChainSpec) => "genesis.raw",
        ("", _) => "parentStorage",
        (path, _) => path,
    };
    let code = tries.top.get(CODE).cloned().ok_or_else(|| {
        let message = format!("{path} has no code (key \"0x3a636f6465\")");
        content(name, message)
    })?;
    let path = format!("{path}[\"0x3a636f6465\"]");
    let mut runtime = RuntimeInput::new(form, code, name, &path)?;
    let version = runtime.state_version();
    runtime.state = Some(State::new(tries.top, tries.children, version));
    Ok(runtime)
}

fn content(name: &str, message: String) -> InputError {
    InputError::Content { name: name.to_owned(), message }
}

fn unknown(name: &str, bytes: &[u8]) -> InputError {
    InputError::Unknown { name: name.to_owned(), head: first(bytes) }
}
