//! Which runtime it is: the version from the module's custom sections, or from `Core_version`.
//!
//! `runtime_version` holds a SCALE `RuntimeVersion` with an empty list of APIs, `runtime_apis` the
//! list. Without the first, only a call of `Core_version` tells.

use parity_scale_codec::Decode;
pub use sp_version::RuntimeVersion;
use sp_version::{ApiId, ApisVec, core_version_from_apis};
use wasmparser::{Parser, Payload};

/// An API's id and version in `runtime_apis`.
const API_BYTES: usize = 12;

/// Why there is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// `runtime_version` or the output of `Core_version` is not a version.
    #[error("{origin} is not a runtime version: {message}")]
    Malformed {
        /// Where the bytes are from.
        origin: &'static str,
        /// What the decoder says.
        message: String,
    },
    /// `runtime_apis` does not consist of whole entries.
    #[error("section runtime_apis is {len_bytes} bytes long, not a multiple of {API_BYTES}")]
    Apis {
        /// Its length.
        len_bytes: usize,
    },
}

/// The version that the module embeds; `None` when it embeds none.
pub fn embedded(wasm: &[u8]) -> Result<Option<RuntimeVersion>, VersionError> {
    let section = |name| custom_section(wasm, name);
    from_sections(section("runtime_version"), section("runtime_apis"))
}

/// The same from the payloads of the sections `runtime_version` and `runtime_apis`.
pub fn from_sections(
    version: Option<&[u8]>,
    apis: Option<&[u8]>,
) -> Result<Option<RuntimeVersion>, VersionError> {
    let Some(mut section) = version else {
        return Ok(None);
    };
    let apis = apis.map(decode_apis).transpose()?;
    // The section's own list is empty, so that the version of the core API, which decides how
    // many fields there are, has to come from the other section.
    let core = apis.as_ref().and_then(core_version_from_apis);
    let mut version = RuntimeVersion::decode_with_version_hint(&mut section, core)
        .map_err(|error| malformed("section runtime_version", &error))?;
    if let Some(apis) = apis {
        version.apis = apis;
    }
    Ok(Some(version))
}

/// The version in the output of `Core_version`.
pub fn decode(mut output: &[u8]) -> Result<RuntimeVersion, VersionError> {
    RuntimeVersion::decode(&mut output)
        .map_err(|error| malformed("the output of Core_version", &error))
}

/// The payload of the first custom section of that name. Modules that are not well-formed have no
/// sections from the point on where they are not.
pub fn custom_section<'w>(wasm: &'w [u8], name: &str) -> Option<&'w [u8]> {
    Parser::new(0).parse_all(wasm).map_while(Result::ok).find_map(|payload| match payload {
        Payload::CustomSection(section) if section.name() == name => Some(section.data()),
        _ => None,
    })
}

fn decode_apis(bytes: &[u8]) -> Result<ApisVec, VersionError> {
    let (entries, []) = bytes.as_chunks::<API_BYTES>() else {
        let len_bytes = bytes.len();
        return Err(VersionError::Apis { len_bytes });
    };
    let entry = |entry: &[u8; API_BYTES]| -> (ApiId, u32) {
        let (id, version) = entry.split_at(8);
        let id = id.try_into().expect("8 bytes");
        (id, u32::from_le_bytes(version.try_into().expect("4 bytes")))
    };
    Ok(entries.iter().map(entry).collect::<Vec<_>>().into())
}

fn malformed(origin: &'static str, error: &parity_scale_codec::Error) -> VersionError {
    VersionError::Malformed { origin, message: error.to_string() }
}
