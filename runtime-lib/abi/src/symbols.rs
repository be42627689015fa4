//! Names of symbols, sections and the note.
//!
//! What a module is called and what it calls others decides nothing: every name of a module that
//! becomes a symbol others can see stands behind a prefix, mangled so that it is an identifier of C
//! and no two names share one. In an object, and in an image, which always has [`PREFIX`]:
//!
//! | symbol | what it is |
//! |---|---|
//! | [`DESCRIPTOR`] | the [`Descriptor`](crate::descriptor::Descriptor) |
//! | [`import`] | a host function, undefined |
//! | [`export`] | an exported function, where somebody asked for it |
//! | [`Libcall::symbol`](crate::libcall::Libcall::symbol) | a function of the runtime library, undefined |
//!
//! An image's undefined imports come in the module's order, libcalls anywhere between.
//!
//! All other symbols are local: functions have their name in the name section, else `wasm[INDEX]`.

use alloc::{format, string::String};
use core::fmt::{self, Write};

/// The prefix of global symbols, unless an object was asked to have another.
pub const PREFIX: &str = "lithify";

/// The symbol of the [`Descriptor`](crate::descriptor::Descriptor) where the prefix is [`PREFIX`].
pub const DESCRIPTOR: &str = "lithify_module";

/// The section of the descriptor and the records it refers to.
pub const METADATA_SECTION: &str = ".lithify";

/// The section of the initial memory image.
pub const MEMORY_SECTION: &str = ".lithify.memory";

/// The section and the owner name of the ELF note that identifies an image.
pub const NOTE_SECTION: &str = ".note.lithify";

/// Owner name of the note.
pub const NOTE_NAME: &str = "Lithify";

/// Type of the note.
pub const NOTE_TYPE: u32 = 1;

/// The symbol of the descriptor, for any prefix.
pub fn descriptor(prefix: &str) -> String {
    format!("{prefix}_module")
}

/// The symbol under which the function import `module`.`field` is undefined, such as
/// `lithify_import_env__ext_storage_get_version_1`.
///
/// The first two underscores in a row end the module's name: in it, an underscore before another
/// one or at the end is mangled.
pub fn import(prefix: &str, module: &str, field: &str) -> String {
    let mut symbol = String::new();
    // A string takes everything.
    let _ = write_import(&mut symbol, prefix, module, field);
    symbol
}

/// Whether `symbol` is [`import`] of these, without making it.
pub fn is_import(symbol: &str, prefix: &str, module: &str, field: &str) -> bool {
    let mut rest = Rest(symbol.as_bytes());
    write_import(&mut rest, prefix, module, field).is_ok() && rest.0.is_empty()
}

/// What is left of a text when what is written was taken off its front; an error for another front.
struct Rest<'a>(&'a [u8]);

impl Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

fn write_import(symbol: &mut impl Write, prefix: &str, module: &str, field: &str) -> fmt::Result {
    symbol.write_str(prefix)?;
    symbol.write_str("_import_")?;
    let bytes = module.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        let separates = *byte == b'_' && matches!(bytes.get(index + 1), None | Some(b'_'));
        mangle(symbol, *byte, separates)?;
    }
    symbol.write_str("__")?;
    field.bytes().try_for_each(|byte| mangle(symbol, byte, false))
}

/// The symbol of the function exported as `name`, such as `lithify_export_Core_version`.
pub fn export(prefix: &str, name: &str) -> String {
    let mut symbol = format!("{prefix}_export_");
    // A string takes everything.
    let _ = name.bytes().try_for_each(|byte| mangle(&mut symbol, byte, false));
    symbol
}

/// Whether every symbol with this prefix is an identifier of C.
pub fn is_prefix(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Appends one byte of a name. What cannot stand in an identifier of C becomes `Z` and two
/// hexadecimal digits, and so does `Z`.
fn mangle(symbol: &mut impl Write, byte: u8, always: bool) -> fmt::Result {
    let plain = (byte.is_ascii_alphanumeric() && byte != b'Z') || byte == b'_';
    if plain && !always {
        symbol.write_char(char::from(byte))
    } else {
        write!(symbol, "Z{byte:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libcall::Libcall;
    use alloc::{collections::BTreeSet, string::ToString, vec::Vec};

    #[test]
    fn ordinary_names_stay_readable() {
        let get = import(PREFIX, "env", "ext_storage_get_version_1");
        assert_eq!(get, "lithify_import_env__ext_storage_get_version_1");
        let wasi = import("x", "wasi_snapshot_preview1", "fd_write");
        assert_eq!(wasi, "x_import_wasi_snapshot_preview1__fd_write");
        assert_eq!(export(PREFIX, "Core_version"), "lithify_export_Core_version");
        assert_eq!(descriptor(PREFIX), DESCRIPTOR);
        assert_eq!(import(PREFIX, "a-b", "Z\0é"), "lithify_import_aZ2db__Z5aZ00Zc3Za9");
    }

    /// Every pair of names over an alphabet of those bytes that mangling is about.
    #[test]
    fn no_two_names_share_a_symbol() {
        let mut names = Vec::from([String::new()]);
        // Miri takes hours for the longest.
        for _ in 0..if cfg!(miri) { 1 } else { 3 } {
            let longer = |name: &String| ["_", "a", "Z", "5", "\0", "é"].map(|s| name.clone() + s);
            let all: BTreeSet<String> =
                names.iter().flat_map(longer).chain(names.clone()).collect();
            names = all.into_iter().collect();
        }
        let mut symbols: BTreeSet<String> =
            Libcall::ALL.iter().map(|call| call.symbol().to_string()).collect();
        symbols.insert(DESCRIPTOR.into());
        let mut add = |symbol: String, what: &dyn core::fmt::Debug| {
            assert!(is_prefix(&symbol), "{symbol} is an identifier");
            assert!(symbols.insert(symbol.clone()), "{symbol} of {what:?} is taken");
        };
        for name in &names {
            add(export(PREFIX, name), name);
            for field in &names {
                let symbol = import(PREFIX, name, field);
                assert!(is_import(&symbol, PREFIX, name, field));
                assert!(!is_import(&symbol[1..], PREFIX, name, field));
                assert!(!is_import(&symbol, PREFIX, name, "other"));
                assert!(!is_import(&format!("{symbol}_"), PREFIX, name, field));
                add(symbol, &(name, field));
            }
        }
    }

    #[test]
    fn prefixes_are_identifiers() {
        for good in ["lithify", "_x", "A1"] {
            assert!(is_prefix(good), "{good}");
        }
        for bad in ["", "1a", "a-b", "é", "a b", "a\0"] {
            assert!(!is_prefix(bad), "{bad}");
        }
    }
}
