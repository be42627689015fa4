//! Sites: the places of a function where it can trap, and where its calls return.
//!
//! A function's code can hold bodies of others in place of calls of them. So a site names its
//! operator by a *position*: up to the end of the function's own body that is the operator's offset
//! in the Wasm file; there the bodies follow that were inlined, one after the other, as long as
//! they are in the file.
//!
//! ```text
//! own body                    body of f                 body of g
//! |---- call f ---------------|------ call g -----------|-----------|
//! offset in the file          position: own end, + length of f, + length of g
//! ```
//!
//! One stream of bytes a function, empty where it has no site:
//!
//! 1. LEB128 of the number of inlined bodies that have sites, or hold one that has; if there are
//!    any, LEB128 of the length of the own body, and for each of them LEB128 of its function index,
//!    of its length in bytes, and of `zigzag(position of its call - that of the one before)`, the
//!    first relative to the own body's start;
//! 2. per site, in rising order of code address, LEB128 of the distance in bytes from the previous
//!    site (the first: from the function's start), then LEB128 of `zigzag(position - previous
//!    position) << 4 | kind`, the first position again relative to the own body's start, and the kind
//!    a [`TrapCode`] or [`CALL`].
//!
//! A trap site's address is that of the instruction that faults; a call site's is the return
//! address. The decoder neither allocates nor panics: the signal handler uses it.

use crate::trap::TrapCode;
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// The kind of a call site; smaller kinds are trap codes.
pub const CALL: u8 = 15;

/// One site of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Offset of the code from the function's start, in bytes.
    pub code: u32,
    /// Position of the operator.
    pub position: u32,
    /// A [`TrapCode`] or [`CALL`].
    pub kind: u8,
}

/// A function body in the code of another function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inlined {
    /// Function index.
    pub function: u32,
    /// Length of the body, in bytes.
    pub len: u32,
    /// Position of the call that it replaces, in a body before it.
    pub call: u32,
}

/// Appends the stream of `sites`, which are in order of `code`, for a function whose `body` lies
/// there in the Wasm file and holds the `inlined` ones. Of those, only what sites need is kept, so
/// that positions in the stream can be lower than those passed.
pub fn encode(body: Range<u32>, inlined: &[Inlined], sites: &[Site], out: &mut Vec<u8>) {
    if sites.is_empty() {
        return;
    }
    let mut end = body.end;
    let starts: Vec<u32> = (inlined.iter())
        .map(|inlined| {
            let start = end;
            end += inlined.len;
            start
        })
        .collect();
    let holder = |position: u32| starts.partition_point(|start| *start <= position).checked_sub(1);
    let mut needed = vec![false; inlined.len()];
    for site in sites {
        let mut position = site.position;
        while let Some(at) = holder(position) {
            if needed[at] {
                break;
            }
            (needed[at], position) = (true, inlined[at].call);
        }
    }
    let mut end = body.end;
    let kept: Vec<u32> = (needed.iter().zip(inlined))
        .map(|(needed, inlined)| {
            let start = end;
            end += if *needed { inlined.len } else { 0 };
            start
        })
        .collect();
    let moved = |position| match holder(position) {
        Some(at) => kept[at] + (position - starts[at]),
        None => position,
    };

    let count = needed.iter().filter(|needed| **needed).count();
    put_leb(count as u64, out);
    if count > 0 {
        put_leb(u64::from(body.end - body.start), out);
    }
    let mut last = body.start;
    for (_, inlined) in needed.iter().zip(inlined).filter(|(needed, _)| **needed) {
        let call = moved(inlined.call);
        put_leb(u64::from(inlined.function), out);
        put_leb(u64::from(inlined.len), out);
        put_leb(zigzag(last, call), out);
        last = call;
    }
    let (mut code, mut last) = (0, body.start);
    for site in sites {
        let position = moved(site.position);
        put_leb(u64::from(site.code - code), out);
        put_leb(zigzag(last, position) << 4 | u64::from(site.kind), out);
        (code, last) = (site.code, position);
    }
}

/// Iterates over the stream of one function; ends at the first malformed byte.
#[derive(Clone, Debug)]
pub struct Sites<'a> {
    bytes: &'a [u8],
    inlined: InlinedBodies<'a>,
    code: u32,
    position: u32,
}

impl<'a> Sites<'a> {
    /// The sites in `bytes`, of a function whose body starts at `body` in the Wasm file.
    pub fn new(bytes: &'a [u8], body: u32) -> Self {
        let none = InlinedBodies { bytes: &[], left: 0, start: body, call: body };
        let (bytes, inlined) = Self::split(bytes, body).unwrap_or((&[], none));
        Self { bytes, inlined, code: 0, position: body }
    }

    /// The part with the sites, and that with the inlined bodies.
    fn split(mut bytes: &'a [u8], body: u32) -> Option<(&'a [u8], InlinedBodies<'a>)> {
        let left = take_leb(&mut bytes)?;
        let len = if left > 0 { take_leb(&mut bytes)? } else { 0 };
        let start = body.checked_add(u32::try_from(len).ok()?)?;
        let inlined = InlinedBodies { bytes, left, start, call: body };
        let mut all = inlined.clone();
        while all.left > 0 {
            all.next()?;
        }
        Some((all.bytes, inlined))
    }

    /// The trap site at `code` bytes from the function's start.
    pub fn trap(mut self, code: u32) -> Option<(TrapCode, u32)> {
        let site = self.find(|site| site.code == code && site.kind != CALL)?;
        Some((TrapCode::from_u8(site.kind)?, site.position))
    }

    /// The position of the call that returns to `code` bytes from the function's start.
    pub fn call(mut self, code: u32) -> Option<u32> {
        self.find(|site| site.code == code && site.kind == CALL).map(|site| site.position)
    }

    /// The functions that are at `position`, the innermost first.
    pub fn places(&self, position: u32) -> Places<'a> {
        Places { inlined: self.inlined.clone(), position: Some(position) }
    }
}

impl Iterator for Sites<'_> {
    type Item = Site;

    fn next(&mut self) -> Option<Site> {
        let code = take_leb(&mut self.bytes)?;
        let packed = take_leb(&mut self.bytes)?;
        self.code = self.code.checked_add(u32::try_from(code).ok()?)?;
        self.position = moved_by(self.position, packed >> 4)?;
        Some(Site { code: self.code, position: self.position, kind: (packed & 15) as u8 })
    }
}

/// Where a function, or one that was inlined in it, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the function itself, at this offset in the Wasm file.
    Own(u32),
    /// In an inlined body.
    Inlined {
        /// Function index.
        function: u32,
        /// Offset from the start of its body, in bytes.
        offset: u32,
    },
}

/// Iterates from an inlined body to what it was inlined in, up to the function itself; ends where
/// that is malformed.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    inlined: InlinedBodies<'a>,
    position: Option<u32>,
}

impl Iterator for Places<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let position = self.position.take()?;
        if position < self.inlined.start || self.inlined.left == 0 {
            return Some(Place::Own(position));
        }
        let mut inlined = self.inlined.clone();
        let (start, Inlined { function, call, .. }) =
            inlined.find(|(start, inlined)| position - start < inlined.len)?;
        // Inlined bodies come after what they are in.
        self.position = (call < start).then_some(call);
        Some(Place::Inlined { function, offset: position - start })
    }
}

/// Iterates over inlined bodies and the positions where they start.
#[derive(Clone, Debug)]
struct InlinedBodies<'a> {
    bytes: &'a [u8],
    left: u64,
    /// Where the next one starts.
    start: u32,
    /// The call of the one before.
    call: u32,
}

impl Iterator for InlinedBodies<'_> {
    type Item = (u32, Inlined);

    fn next(&mut self) -> Option<(u32, Inlined)> {
        self.left = self.left.checked_sub(1)?;
        let function = u32::try_from(take_leb(&mut self.bytes)?).ok()?;
        let len = u32::try_from(take_leb(&mut self.bytes)?).ok()?;
        let call = moved_by(self.call, take_leb(&mut self.bytes)?)?;
        let start = self.start;
        (self.start, self.call) = (start.checked_add(len)?, call);
        Some((start, Inlined { function, len, call }))
    }
}

/// The way from one position to another.
fn zigzag(from: u32, to: u32) -> u64 {
    let delta = i64::from(to) - i64::from(from);
    ((delta << 1) ^ (delta >> 63)) as u64
}

/// Goes the way that [`zigzag`] gave.
fn moved_by(position: u32, zigzag: u64) -> Option<u32> {
    let delta = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
    u32::try_from(i64::from(position).checked_add(delta)?).ok()
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

    fn site(code: u32, position: u32, kind: u8) -> Site {
        Site { code, position, kind }
    }

    #[test]
    fn sites_survive_the_round_trip() {
        let sites = [
            site(0, 1000, TrapCode::MemoryOutOfBounds as u8),
            site(7, 970, CALL),
            site(7, 1_999, TrapCode::Unreachable as u8),
            site(0x7fff_ffff, 960, CALL),
        ];
        let mut bytes = Vec::new();
        encode(950..2000, &[], &sites, &mut bytes);
        let decoded = || Sites::new(&bytes, 950);
        assert_eq!(decoded().collect::<Vec<_>>(), sites);
        assert_eq!(decoded().call(7), Some(970));
        assert_eq!(decoded().trap(7), Some((TrapCode::Unreachable, 1_999)));
        assert_eq!(decoded().trap(8), None);
        assert!(decoded().places(1_999).eq([Place::Own(1_999)]));
    }

    #[test]
    fn inlined_bodies_without_sites_leave_no_trace() {
        let inlined = [
            Inlined { function: 5, len: 10, call: 120 },
            Inlined { function: 6, len: 20, call: 130 },
            Inlined { function: 7, len: 30, call: 205 },
            Inlined { function: 8, len: 40, call: 215 },
        ];
        // The third is in the first, the fourth in the second, where nothing can go wrong.
        let sites = [site(3, 231, CALL), site(9, 105, CALL)];
        let mut bytes = Vec::new();
        encode(100..200, &inlined, &sites, &mut bytes);
        let decoded = Sites::new(&bytes, 100);
        let position = decoded.clone().call(3).expect("a call");
        let inlined = |function, offset| Place::Inlined { function, offset };
        assert!(decoded.places(position).eq([inlined(7, 1), inlined(5, 5), Place::Own(120)]));
        assert!(decoded.places(105).eq([Place::Own(105)]));
        assert_eq!(decoded.inlined.count(), 2);

        let mut none = Vec::new();
        encode(100..200, &[Inlined { function: 5, len: 10, call: 120 }], &[], &mut none);
        assert_eq!(none, []);
    }

    #[test]
    fn malformed_streams_end() {
        assert_eq!(Sites::new(&[0xff; 40], 0).count(), 0);
        assert_eq!(Sites::new(&[1], 0).count(), 0);
        assert_eq!(Sites::new(&[0, 1], 0).count(), 0);
        // A body that is said to be inlined in itself: 3 bytes from position 10, called at 11.
        let endless = [1, 10, 7, 3, 22];
        let place = Place::Inlined { function: 7, offset: 1 };
        assert!(Sites::new(&endless, 0).places(11).eq([place]));
        assert!(Sites::new(&endless, 0).places(13).eq([]));
    }
}
