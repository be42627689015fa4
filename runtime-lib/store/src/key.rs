//! What an image is made from and for, and the name that this gives its file.

use crate::collect::Named;
use lithify_runtime::abi::{
    RELEASE,
    cpu::{X86_64_V2, X86_64_V3},
    machine::Machine,
};
use std::fmt;

/// What an image is made from and for. Two that differ in their bytes differ in a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// BLAKE2b-256 of the code as the chain has it, compressed as it comes. The image names it, too:
    /// it was made with this `Options::code_hash`.
    pub code_hash: [u8; 32],
    /// The release of the compiler.
    pub release: String,
    /// The target triple.
    pub target: String,
    /// The level of the CPU.
    pub cpu: String,
    /// A hash of all other options.
    pub options_hash: [u8; 16],
}

impl Key {
    /// The key of what this release makes of a runtime for a machine with `cpu_features` (bits of
    /// [`lithify_runtime::abi::cpu`]) when it is asked for nothing else: what `lithify cache fill`
    /// makes, and a node looks for.
    pub fn runtime(code_hash: [u8; 32], machine: Machine, cpu_features: u64) -> Self {
        Self::new(code_hash, machine, cpu_features, "profile=runtime")
    }

    /// The key of what this release makes of the code. `options` is text that names all that shapes
    /// the image besides the machine: the options of the compiler that are not its defaults, and
    /// whatever was done to the code before.
    pub fn new(code_hash: [u8; 32], machine: Machine, cpu_features: u64, options: &str) -> Self {
        let cpu = match (machine, cpu_features) {
            (Machine::X86_64, X86_64_V3) => "x86-64-v3".into(),
            (Machine::X86_64, X86_64_V2) => "x86-64-v2".into(),
            (Machine::Aarch64, 0) => "generic".into(),
            (_, bits) => format!("features-{bits:x}"),
        };
        let hash = blake3::hash(options.as_bytes());
        let mut options_hash = [0; 16];
        options_hash.copy_from_slice(&hash.as_bytes()[..16]);
        let (release, target) = (RELEASE.into(), machine.triple().into());
        Self { code_hash, release, target, cpu, options_hash }
    }

    /// The folder below the store's: the hash of the code in hex digits.
    pub fn folder(&self) -> String {
        hex(&self.code_hash)
    }

    /// The name in that folder. What is no letter, digit, `.`, `_`, `+` or `-` is a `_` in it.
    pub fn file_name(&self) -> String {
        let options = hex(&self.options_hash);
        let name = format!("{}-{}-{}-{options}.so", self.release, self.target, self.cpu);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
    }

    /// The key that gives these names; `None` for other files.
    pub(crate) fn read(Named { folder, file }: Named<'_>) -> Option<Self> {
        let code_hash = unhex(folder)?;
        let (rest, options_hash) = file.strip_suffix(".so")?.rsplit_once('-')?;
        let options_hash = unhex(options_hash)?;
        Machine::ALL.iter().find_map(|machine| {
            let target = machine.triple();
            let (release, cpu) = rest.split_once(&format!("-{target}-"))?;
            let (release, target, cpu) = (release.into(), target.into(), cpu.into());
            let key = Self { code_hash, release, target, cpu, options_hash };
            let is_plain = !release_is_hidden(&key.release) && key.file_name() == file;
            is_plain.then_some(key)
        })
    }
}

/// Whether files of this release would be taken for what a writer left behind.
fn release_is_hidden(release: &str) -> bool {
    release.starts_with('.')
}

impl fmt::Display for Key {
    /// The path below the store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.folder(), self.file_name())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that [`hex`] writes so.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || text.bytes().any(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(0..) {
        *byte = u8::from_str_radix(text.get(2 * digits..2 * digits + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Key, Named, hex};
    use lithify_runtime::abi::machine::Machine;

    #[test]
    fn a_name_tells_its_key() {
        for (machine, features) in [
            (Machine::X86_64, lithify_runtime::abi::cpu::X86_64_V3),
            (Machine::X86_64, 5),
            (Machine::Aarch64, 0),
        ] {
            let key = Key::runtime([0xa8; 32], machine, features);
            let (folder, file) = (key.folder(), key.file_name());
            assert_eq!(Key::read(Named { folder: &folder, file: &file }), Some(key), "{file}");
            for (folder, file) in [
                (&folder[2..], file.clone()),
                (&folder, file.replace(".so", ".so.minisig")),
                (&folder, format!(".{file}.lock")),
                (&folder, file.replace("linux", "plan9")),
                (&folder, file.replace("0.1", " ")),
            ] {
                assert_eq!(Key::read(Named { folder, file: &file }), None, "{file}");
            }
        }
    }

    #[test]
    fn options_and_levels_are_apart() {
        let key = |features, options: &str| {
            Key::new([1; 32], Machine::X86_64, features, options).file_name()
        };
        let names = [key(1, "a"), key(2, "a"), key(1, "b")];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
        let odd = Key { release: "../0 1".into(), ..Key::new([1; 32], Machine::X86_64, 1, "a") };
        assert!(odd.file_name().starts_with(".._0_1-x86_64"), "{}", odd.file_name());
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
