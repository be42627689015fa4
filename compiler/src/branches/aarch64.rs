//! aarch64: the branches of the base architecture (Arm ARM, C4.1.86, "branches, exception
//! generating and system instructions").

use super::{Decode, Flow, image::Part};

pub struct Decoder;

impl Decode for Decoder {
    fn decode(&self, part: &Part<'_>, run: &[usize]) -> Result<(usize, Flow), String> {
        let at = *run.last().expect("an instruction");
        let word = word(part, at).ok_or("control runs out of the piece")?;
        let here = at as i64;
        let is = |mask: u32, opcode: u32| word & mask == opcode;
        let flow = if is(0xfc00_0000, 0x1400_0000) {
            Flow::Jump(here + field(word, 0, 26))
        } else if is(0xfc00_0000, 0x9400_0000) {
            Flow::Call(here + field(word, 0, 26))
        } else if is(0xff00_0010, 0x5400_0000) || is(0x7e00_0000, 0x3400_0000) {
            Flow::Branch(here + field(word, 5, 19)) // b.cond, cbz, cbnz
        } else if is(0x7e00_0000, 0x3600_0000) {
            Flow::Branch(here + field(word, 5, 14)) // tbz, tbnz
        } else if is(0xffff_fc1f, 0xd61f_0000) {
            indirect(part, run, word >> 5 & 31)?
        } else if is(0xffff_fc1f, 0xd63f_0000) {
            Flow::CallRegister
        } else if word == 0xd65f_03c0 || is(0xffff_0000, 0) {
            Flow::End // ret, udf
        } else if is(0x1c00_0000, 0x1400_0000) && !is(0xffff_f01f, 0xd503_201f) {
            return Err(format!("{word:#010x} is no branch that is known")); // a hint is fine
        } else if is(0x1800_0000, 0) {
            return Err(format!("{word:#010x} is no instruction of the base architecture"));
        } else {
            Flow::On
        };
        Ok((4, flow))
    }
}

fn word(part: &Part<'_>, at: usize) -> Option<u32> {
    let bytes = part.code.get(at..)?.first_chunk()?;
    at.is_multiple_of(4).then_some(u32::from_le_bytes(*bytes))
}

/// A distance in words, a signed number of so many bits, in bytes.
fn field(word: u32, shift: u32, bits: u32) -> i64 {
    let value = word << (32 - shift - bits);
    i64::from(value as i32 >> (32 - bits)) * 4
}

/// `br` to `register`: through a slot, or through the table behind it.
fn indirect(part: &Part<'_>, run: &[usize], register: u32) -> Result<Flow, String> {
    let at = *run.last().expect("an instruction");
    // The instruction so many before, which control came through.
    let before = |back: usize| {
        let at = at.checked_sub(back * 4)?;
        (run.len().checked_sub(back + 1).map(|i| run[i]) == Some(at)).then(|| word(part, at))?
    };
    let r = register;
    if before(1).is_some_and(|word| word & 0xffc0_03ff == 0xf940_0000 | r << 5 | r) {
        let load = before(1).expect("it is there");
        let page = before(2).filter(|word| word & 0x9f00_001f == 0x9000_0000 | r);
        let page = page.ok_or("a jump through an address that cannot be told")?;
        let pages = (page >> 29 & 3 | (page >> 5 & 0x7_ffff) << 2) << 11;
        let address = (part.address + at as u64 - 8) & !0xfff;
        let address = address.wrapping_add_signed(i64::from(pages as i32 >> 11) << 12);
        return Ok(Flow::JumpSlot(address + u64::from(load >> 10 & 0xfff) * 8));
    }
    // movz i, #len; csel i, index, i, lo; [csdb]; adr r, table; ldrsw i, [r, i, uxtw #2];
    // add r, r, i; br r
    let odd = || "a jump through a register that no bounded table fills".to_owned();
    let add = before(1).ok_or_else(odd)?;
    let i = add >> 16 & 31;
    let csdb = usize::from(before(4) == Some(0xd503_229f));
    let bounded = i != r
        && add == 0x8b00_0000 | i << 16 | r << 5 | r
        && before(2) == Some(0xb8a0_5800 | i << 16 | r << 5 | i)
        && before(3) == Some(0x1000_0080 | r)
        && before(4 + csdb).is_some_and(|word| word & 0xffff_fc1f == 0x9a80_3000 | i << 16 | i);
    let len = before(5 + csdb).filter(|word| word & 0xffe0_001f == 0xd280_0000 | i);
    match len {
        Some(len) if bounded => Ok(Flow::Table((len >> 5 & 0xffff) as usize + 1)),
        _ => Err(odd()),
    }
}
