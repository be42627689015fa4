//! Writes a reference into the field that holds it, or refuses.
//!
//! All references that are resolved before a program runs pass here: calls within the text, and
//! what an image refers to. The rule not to break: what does not fit is an error, whatever the
//! build, and no field is ever cut. A branch with a cut field goes where the guest likes.

use crate::error::CompileError;

/// How a field holds a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The distance from the field, in 32 bits.
    Relative32,
    /// The same in 64 bits.
    Relative64,
    /// The target itself, in 32 bits.
    Absolute32,
    /// The same in 64 bits.
    Absolute64,
    /// aarch64 `bl`: the distance in words, in 26 bits.
    Call26,
    /// aarch64 `adrp`: the distance from page to page, in pages of 4 KiB, in 21 bits.
    Page21,
    /// aarch64 `add`: where in its page the target is, in 12 bits.
    Add12,
    /// aarch64 `ldr` of 64 bits: the same, in units of 8 bytes.
    Load12,
}

/// Makes the field at `at` in `bytes`, whose address is `place`, refer to `target`.
///
/// # Errors
///
/// [`CompileError::Object`] when the field cannot hold the reference, when it does not lie in
/// `bytes`, and when the instruction there is another one than the form's.
pub fn patch(
    bytes: &mut [u8],
    at: u64,
    place: i64,
    target: i64,
    form: Form,
) -> Result<(), CompileError> {
    let misfit = || {
        CompileError::Object(format!(
            "the reference at {place:#x} to {target:#x} does not fit its field ({form:?})"
        ))
    };
    let at = usize::try_from(at).map_err(|_| misfit())?;
    let field = bytes.get_mut(at..).ok_or_else(misfit)?;
    let distance = target.checked_sub(place).ok_or_else(misfit)?;
    if let Form::Relative64 | Form::Absolute64 = form {
        let value = if form == Form::Relative64 { distance } else { target };
        *field.first_chunk_mut().ok_or_else(misfit)? = value.to_le_bytes();
        return Ok(());
    }
    let field: &mut [u8; 4] = field.first_chunk_mut().ok_or_else(misfit)?;
    let word = encode(u32::from_le_bytes(*field), place, target, distance, form);
    *field = word.ok_or_else(misfit)?.to_le_bytes();
    Ok(())
}

/// The word with its field filled in; `word` is what is there.
fn encode(word: u32, place: i64, target: i64, distance: i64, form: Form) -> Option<u32> {
    let is = |mask: u32, opcode: u32| (word & mask == opcode).then_some(opcode | (word & !mask));
    Some(match form {
        Form::Relative64 | Form::Absolute64 => return None,
        Form::Absolute32 => u32::try_from(target).ok()?,
        Form::Relative32 => i32::try_from(distance).ok()? as u32,
        // `b` and `bl` differ in the top bit only.
        Form::Call26 => {
            is(0x7c00_0000, 0x1400_0000)? & 0xfc00_0000 | signed(exact(distance, 4)?, 26)?
        }
        Form::Page21 => {
            let pages = signed((target >> 12) - (place >> 12), 21)?;
            is(0x9f00_0000, 0x9000_0000)? & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2) << 5
        }
        Form::Add12 => {
            is(0xffc0_0000, 0x9100_0000)? & 0xffc0_03ff | ((target & 0xfff) as u32) << 10
        }
        Form::Load12 => {
            let slot = exact(target & 0xfff, 8)? as u32;
            is(0xffc0_0000, 0xf940_0000)? & 0xffc0_03ff | slot << 10
        }
    })
}

/// `value / unit`, where nothing is left.
fn exact(value: i64, unit: i64) -> Option<i64> {
    (value % unit == 0).then_some(value / unit)
}

/// `value` as a signed number of so many bits.
fn signed(value: i64, bits: u32) -> Option<u32> {
    let bound = 1 << (bits - 1);
    (-bound..bound).contains(&value).then_some(value as u32 & ((1 << bits) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BL: u32 = 0x9400_0000;
    const ADRP: u32 = 0x9000_0010;
    const ADD: u32 = 0x9100_0210;
    const LDR: u32 = 0xf940_0210;

    /// What becomes of `word` at address `place`; `None` where it is refused.
    fn patched(word: u32, place: i64, target: i64, form: Form) -> Option<u32> {
        let mut bytes = word.to_le_bytes();
        let before = bytes;
        match patch(&mut bytes, 0, place, target, form) {
            Ok(()) => Some(u32::from_le_bytes(bytes)),
            Err(error) => {
                assert!(error.to_string().contains("does not fit"), "{error}");
                assert_eq!(bytes, before, "a refused field is left alone");
                None
            }
        }
    }

    #[test]
    fn fields_hold_what_they_can_and_refuse_the_next() {
        let last = i64::from(i32::MAX);
        let mib = 1 << 20;
        for (word, form, place, target, expected) in [
            (0, Form::Relative32, 8, 8 + last, Some(0x7fff_ffff)),
            (0, Form::Relative32, 8, 9 + last, None),
            (0, Form::Relative32, 8, 7 - last, Some(0x8000_0000)),
            (0, Form::Relative32, 8, 6 - last, None),
            (0, Form::Absolute32, 8, 0xffff_ffff, Some(0xffff_ffff)),
            (0, Form::Absolute32, 8, 0x1_0000_0000, None),
            (0, Form::Absolute32, 8, -1, None),
            (BL, Form::Call26, 0, 128 * mib - 4, Some(BL | 0x01ff_ffff)),
            (BL, Form::Call26, 0, 128 * mib, None),
            (BL, Form::Call26, 128 * mib, 0, Some(BL | 0x0200_0000)),
            (BL, Form::Call26, 128 * mib + 4, 0, None),
            (BL, Form::Call26, 0, 2, None),
            (ADRP, Form::Call26, 0, 4, None),
            (ADRP, Form::Page21, 0, 4096 * mib - 1, Some(ADRP | 3 << 29 | 0x3_ffff << 5)),
            (ADRP, Form::Page21, 0, 4096 * mib, None),
            (ADRP, Form::Page21, 4096 * mib, 0, Some(ADRP | 0x4_0000 << 5)),
            (ADRP, Form::Page21, 4097 * mib, 0, None),
            (ADD, Form::Page21, 0, 0, None),
            (ADD, Form::Add12, 0, 0x1fff, Some(ADD | 0xfff << 10)),
            (LDR, Form::Add12, 0, 0, None),
            (LDR, Form::Load12, 0, 0x1ff8, Some(LDR | 0x1ff << 10)),
            (LDR, Form::Load12, 0, 0x1ffc, None),
            (ADD, Form::Load12, 0, 8, None),
        ] {
            let found = patched(word, place, target, form);
            assert_eq!(found, expected, "{form:?} at {place:#x} to {target:#x}: {found:x?}");
        }
    }

    #[test]
    fn fields_lie_within_the_code() {
        let mut bytes = [0; 11];
        for (at, form, fits) in [
            (7, Form::Relative32, true),
            (8, Form::Relative32, false),
            (3, Form::Relative64, true),
            (4, Form::Relative64, false),
            (3, Form::Absolute64, true),
            (4, Form::Absolute64, false),
            (12, Form::Relative32, false),
            (u64::MAX, Form::Relative64, false),
        ] {
            assert_eq!(patch(&mut bytes, at, 0, 1, form).is_ok(), fits, "{form:?} at {at}");
        }
        let far = patch(&mut bytes, 0, i64::MIN, i64::MAX, Form::Relative64);
        assert!(far.is_err());
    }
}
