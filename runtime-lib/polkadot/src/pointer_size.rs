//! Where bytes lie in a guest's memory, in one value: the specification's *pointer-size*.

/// An address in the low half, a length in the high half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointerSize(u64);

impl PointerSize {
    /// `len` bytes from `address` on.
    pub const fn new(address: u32, len: u32) -> Self {
        Self((len as u64) << 32 | address as u64)
    }

    /// As a guest passes it.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As a guest gets it.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The address.
    pub const fn address(self) -> u32 {
        self.0 as u32
    }

    /// The length, in bytes.
    #[allow(clippy::len_without_is_empty, reason = "it is a place, not what is there")]
    pub const fn len(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Those bytes of `memory`, if it has all of them.
    pub fn of(self, memory: &[u8]) -> Option<&[u8]> {
        memory.get(self.address() as usize..)?.get(..self.len() as usize)
    }
}
