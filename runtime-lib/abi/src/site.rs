//! Sites: the places of a function where it can trap, and where its calls return.
//!
//! One stream of bytes a function, in rising order of code address; per site
//!
//! 1. LEB128 of the distance in bytes from the previous site (the first: from the function's
//!    start), then
//! 2. LEB128 of `zigzag(offset - previous offset) << 4 | kind`, where the offset is that of the
//!    operator in the Wasm file (the first: relative to the function body's start) and the kind
//!    a [`TrapCode`] or [`CALL`].
//!
//! A trap site's address is that of the instruction that faults; a call site's is the return
//! address. The decoder neither allocates nor panics: the signal handler uses it.

use crate::trap::TrapCode;
use alloc::vec::Vec;

/// The kind of a call site; smaller kinds are trap codes.
pub const CALL: u8 = 15;

/// One site of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Offset of the code from the function's start, in bytes.
    pub code: u32,
    /// Offset of the operator in the Wasm file, in bytes.
    pub wasm: u32,
    /// A [`TrapCode`] or [`CALL`].
    pub kind: u8,
}

/// Appends the stream of `sites`, which are in order of `code`, for a function whose body
/// starts at `body` in the Wasm file.
pub fn encode(sites: &[Site], body: u32, out: &mut Vec<u8>) {
    let (mut code, mut wasm) = (0, body);
    for site in sites {
        put_leb(u64::from(site.code - code), out);
        let delta = i64::from(site.wasm) - i64::from(wasm);
        let zigzag = ((delta << 1) ^ (delta >> 63)) as u64;
        put_leb(zigzag << 4 | u64::from(site.kind), out);
        (code, wasm) = (site.code, site.wasm);
    }
}

/// Iterates over the stream of one function; ends at the first malformed byte.
#[derive(Clone, Debug)]
pub struct Sites<'a> {
    bytes: &'a [u8],
    code: u32,
    wasm: u32,
}

impl<'a> Sites<'a> {
    /// The sites in `bytes`, of a function whose body starts at `body` in the Wasm file.
    pub fn new(bytes: &'a [u8], body: u32) -> Self {
        Self { bytes, code: 0, wasm: body }
    }

    /// The trap site at `code` bytes from the function's start.
    pub fn trap(mut self, code: u32) -> Option<(TrapCode, u32)> {
        let site = self.find(|site| site.code == code && site.kind != CALL)?;
        Some((TrapCode::from_u8(site.kind)?, site.wasm))
    }

    /// The Wasm offset of the call that returns to `code` bytes from the function's start.
    pub fn call(mut self, code: u32) -> Option<u32> {
        self.find(|site| site.code == code && site.kind == CALL).map(|site| site.wasm)
    }
}

impl Iterator for Sites<'_> {
    type Item = Site;

    fn next(&mut self) -> Option<Site> {
        let code = take_leb(&mut self.bytes)?;
        let packed = take_leb(&mut self.bytes)?;
        let zigzag = packed >> 4;
        let delta = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        self.code = self.code.checked_add(u32::try_from(code).ok()?)?;
        self.wasm = u32::try_from(i64::from(self.wasm).checked_add(delta)?).ok()?;
        Some(Site { code: self.code, wasm: self.wasm, kind: (packed & 15) as u8 })
    }
}

fn put_leb(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_leb(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_survive_the_round_trip() {
        let sites = [
            Site { code: 0, wasm: 1000, kind: TrapCode::MemoryOutOfBounds as u8 },
            Site { code: 7, wasm: 900, kind: CALL },
            Site { code: 7, wasm: 0xffff_0000, kind: TrapCode::Unreachable as u8 },
            Site { code: 0x7fff_ffff, wasm: 3, kind: CALL },
        ];
        let mut bytes = Vec::new();
        encode(&sites, 950, &mut bytes);
        assert_eq!(Sites::new(&bytes, 950).collect::<Vec<_>>(), sites);
        assert_eq!(Sites::new(&bytes, 950).call(7), Some(900));
        assert_eq!(Sites::new(&bytes, 950).trap(7), Some((TrapCode::Unreachable, 0xffff_0000)));
        assert_eq!(Sites::new(&bytes, 950).trap(8), None);
    }

    #[test]
    fn malformed_streams_end() {
        assert_eq!(Sites::new(&[0xff; 40], 0).count(), 0);
        assert_eq!(Sites::new(&[1], 0).count(), 0);
    }
}
