//! Bytes as text.

use std::fmt;

/// Shows bytes as `0x` and their hex digits.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Decodes `0x`, then an even number of hex digits. The error completes "the text ...".
pub fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").ok_or("does not begin with 0x")?;
    parse_digits(digits, 2)
}

/// The same of the digits alone, which begin at position `start` of the text.
pub(crate) fn parse_digits(digits: &str, start: usize) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let pair = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    match (pairs.iter().map(pair).collect(), odd) {
        (Some(bytes), []) => Ok(bytes),
        (Some(_), [last]) if digit(*last).is_some() => {
            Err("has an odd number of hex digits".into())
        }
        _ => {
            let at = digits.bytes().position(|byte| digit(byte).is_none()).unwrap_or_default();
            Err(format!("has no hex digit at position {}", at + start))
        }
    }
}
