//! What is known of a value while a function is run for one [`Case`].
//!
//! An address is a sum of multiples of what is not known, plus a constant, modulo 2^32. What was loaded is
//! bytes of the source, and so is the byte that memory is filled with. All else is unknown, and stays so whatever is done with it.

use super::{Case, MARGIN};

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is this number; an i32 has its upper half clear.
    Constant(u64),
    /// It is an i32 that depends on where things are.
    Sum(Sum),
    /// It consists of these bytes, the lowest first; those above an i32 are zero.
    Bytes([Byte; 8]),
    /// It is an i32 whose lowest bits are known, so many.
    Low { bits: u32, low: u32 },
    /// Nothing is.
    Unknown,
}

/// What is known of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// It is this number.
    Constant(u8),
    /// It is the one at this place of the source.
    Source(u8),
    /// Nothing is.
    Unknown,
}

/// `to * TO + from * FROM + global * GLOBAL + constant` modulo 2^32, where capitals are the addresses of
/// destination and source, and the value of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sum {
    pub to: u32,
    pub from: u32,
    /// With the number of the global.
    pub global: (u32, u32),
    pub constant: u32,
}

impl Sum {
    /// The address of the destination.
    pub const TO: Self = Self { to: 1, from: 0, global: (0, 0), constant: 0 };
    /// The address of the source.
    pub const FROM: Self = Self { to: 0, from: 1, global: (0, 0), constant: 0 };

    fn is_constant(self) -> bool {
        self.to == 0 && self.from == 0 && self.global.1 == 0
    }

    fn times(self, factor: u32) -> Self {
        Self {
            to: self.to.wrapping_mul(factor),
            from: self.from.wrapping_mul(factor),
            global: (self.global.0, self.global.1.wrapping_mul(factor)),
            constant: self.constant.wrapping_mul(factor),
        }
    }

    /// None where it would be of two globals.
    fn plus(self, other: Self) -> Option<Self> {
        let number = match (self.global, other.global) {
            ((number, _), (_, 0)) | ((_, 0), (number, _)) => number,
            ((one, _), (another, _)) => (one == another).then_some(one)?,
        };
        Some(Self {
            to: self.to.wrapping_add(other.to),
            from: self.from.wrapping_add(other.from),
            global: (number, self.global.1.wrapping_add(other.global.1)),
            constant: self.constant.wrapping_add(other.constant),
        })
    }

    /// How many of the lowest bits are known, and what they are.
    fn low(self, case: Case) -> (u32, u32) {
        let bits = |factor: u32, known: u32| match factor {
            0 => 32,
            _ => (known + factor.trailing_zeros()).min(32),
        };
        let [to, from] = [self.to, self.from].map(|factor| bits(factor, case.bits));
        let bits = to.min(from).min(bits(self.global.1, 0));
        let low = (self.to.wrapping_mul(case.to))
            .wrapping_add(self.from.wrapping_mul(case.from))
            .wrapping_add(self.constant);
        (bits, low & mask(bits))
    }

    /// How far it lies behind `base`, if it is an address near it that the guard keeps from wrapping around.
    pub fn behind(self, base: Self, case: Case) -> Option<i32> {
        let offset = self.constant as i32;
        let margin = MARGIN as i32;
        let near = (-margin..=case.len as i32 + margin).contains(&offset);
        (near && Self { constant: 0, ..self } == base).then_some(offset)
    }

    /// The least and the greatest that it can be, as far as the guard says; both are numbers of 32 bits.
    fn range(self, case: Case) -> (u32, u32) {
        let one_way = Self::TO.plus(Self::FROM.times(u32::MAX));
        let other_way = Self::FROM.plus(Self::TO.times(u32::MAX));
        let near = [Self::TO, Self::FROM].iter().find_map(|base| self.behind(*base, case));
        if let Some(offset) = near {
            // At least MARGIN bytes lie before, and MARGIN bytes behind the end.
            let least = MARGIN.wrapping_add_signed(offset);
            (least, (u32::MAX - case.len - MARGIN).wrapping_add_signed(offset))
        } else if Some(self) == one_way || Some(self) == other_way {
            (case.len, case.len.wrapping_neg())
        } else {
            (0, u32::MAX)
        }
    }
}

fn mask(bits: u32) -> u32 {
    1u32.checked_shl(bits).map_or(u32::MAX, |end| end - 1)
}

impl From<Sum> for Value {
    fn from(sum: Sum) -> Self {
        if sum.is_constant() { Self::Constant(sum.constant.into()) } else { Self::Sum(sum) }
    }
}

impl From<bool> for Value {
    fn from(condition: bool) -> Self {
        Self::Constant(condition.into())
    }
}

/// An order of unsigned numbers, or whether they are the same.
#[derive(Clone, Copy)]
pub enum Comparison {
    Same,
    Less,
}

impl Value {
    pub fn of_bytes(bytes: [Byte; 8]) -> Self {
        let mut constant = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                Byte::Constant(byte) => constant |= u64::from(*byte) << (8 * at),
                Byte::Source(_) | Byte::Unknown => return Self::Bytes(bytes),
            }
        }
        Self::Constant(constant)
    }

    /// The bytes of it; of an i32 those above are not asked for.
    pub fn bytes(self) -> [Byte; 8] {
        match self {
            Self::Constant(constant) => constant.to_le_bytes().map(Byte::Constant),
            Self::Bytes(bytes) => bytes,
            _ => [Byte::Unknown; 8],
        }
    }

    /// As an i64: sums and low bits are known of an i32 alone.
    pub fn wide(self) -> Self {
        match self {
            Self::Constant(_) | Self::Bytes(_) => self,
            Self::Sum(_) | Self::Low { .. } | Self::Unknown => Self::Unknown,
        }
    }

    /// As a sum, if it is an i32 that is one.
    fn sum(self) -> Option<Sum> {
        match self {
            Self::Constant(constant) => {
                Some(Sum { constant: u32::try_from(constant).ok()?, ..Sum::default() })
            }
            Self::Sum(sum) => Some(sum),
            _ => None,
        }
    }

    /// How many of the lowest bits of an i32 are known, and what they are.
    fn low(self, case: Case) -> (u32, u32) {
        match self {
            Self::Low { bits, low } => (bits, low),
            Self::Bytes([Byte::Constant(byte), ..]) => (8, byte.into()),
            _ => self.sum().map_or((0, 0), |sum| sum.low(case)),
        }
    }

    /// An i32 of whose lowest bits so many are these.
    fn of_low(bits: u32, low: u32) -> Self {
        match bits {
            0 => Self::Unknown,
            32.. => Self::Constant(low.into()),
            _ => Self::Low { bits, low: low & mask(bits) },
        }
    }

    /// The sum of two numbers of 32 bits.
    pub fn add(self, other: Self) -> Self {
        let sum = self.sum().zip(other.sum()).and_then(|(a, b)| a.plus(b));
        sum.map_or(Self::Unknown, Self::from)
    }

    /// The difference of two numbers of 32 bits.
    pub fn sub(self, other: Self) -> Self {
        self.add(other.mul(Self::Constant(u32::MAX.into()), 32))
    }

    /// The product of two numbers of so many bits, 32 or 64.
    pub fn mul(self, other: Self, width: u32) -> Self {
        match (self, other) {
            (Self::Constant(a), Self::Constant(b)) if width == 64 => {
                Self::Constant(a.wrapping_mul(b))
            }
            (Self::Constant(factor), Self::Bytes(bytes))
            | (Self::Bytes(bytes), Self::Constant(factor)) => Self::repeated(bytes, factor, width),
            (Self::Constant(factor), value) | (value, Self::Constant(factor)) if width == 32 => {
                value.sum().map_or(Self::Unknown, |sum| sum.times(factor as u32).into())
            }
            _ => Self::Unknown,
        }
    }

    /// The product of bytes and a number of which each byte is 0 or 1, where nothing is added to anything
    /// but 0.
    fn repeated(bytes: [Byte; 8], factor: u64, width: u32) -> Self {
        let factor = factor.to_le_bytes();
        let mut product = [Byte::Constant(0); 8];
        for (at, times) in factor.into_iter().enumerate() {
            let rest = product[..width as usize / 8].iter_mut().skip(at);
            for (place, byte) in rest.zip(bytes).filter(|(_, byte)| *byte != Byte::Constant(0)) {
                match times {
                    0 => {}
                    1 if *place == Byte::Constant(0) => *place = byte,
                    _ => return Self::Unknown,
                }
            }
        }
        Self::of_bytes(product)
    }

    pub fn and(self, other: Self, case: Case) -> Self {
        let (value, by) = match (self, other) {
            (Self::Constant(a), Self::Constant(b)) => return Self::Constant(a & b),
            (Self::Constant(by), value) | (value, Self::Constant(by)) => (value, by),
            _ => {
                let ((a_bits, a), (b_bits, b)) = (self.low(case), other.low(case));
                return Self::of_low(a_bits.min(b_bits), a & b);
            }
        };
        if let Self::Bytes(bytes) = value {
            let by = by.to_le_bytes();
            return Self::of_bytes(std::array::from_fn(|at| match (by[at], bytes[at]) {
                (0, _) => Byte::Constant(0),
                (0xff, byte) => byte,
                (by, Byte::Constant(byte)) => Byte::Constant(by & byte),
                _ => Byte::Unknown,
            }));
        }
        let (bits, low) = value.low(case);
        let (Ok(by), true) = (u32::try_from(by), bits > 0) else { return Self::Unknown };
        match value {
            _ if by <= mask(bits) => Self::Constant((low & by).into()),
            // Some of the low bits are cleared, and all above are kept.
            Self::Sum(_) if by | mask(bits) == u32::MAX => {
                value.sub(Self::Constant((low & !by).into()))
            }
            _ => Self::of_low(bits, low & by),
        }
    }

    pub fn or(self, other: Self, case: Case) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (self, other) {
            return Self::Constant(a | b);
        }
        if matches!(
            (self, other),
            (Self::Bytes(_) | Self::Constant(_), Self::Bytes(_) | Self::Constant(_))
        ) {
            let (a, b) = (self.bytes(), other.bytes());
            return Self::of_bytes(std::array::from_fn(|at| match (a[at], b[at]) {
                (Byte::Constant(0), byte) | (byte, Byte::Constant(0)) => byte,
                (Byte::Constant(a), Byte::Constant(b)) => Byte::Constant(a | b),
                _ => Byte::Unknown,
            }));
        }
        let ((a_bits, a), (b_bits, b)) = (self.low(case), other.low(case));
        match (self, other) {
            // Bits that are known to be clear are set.
            (value @ Self::Sum(_), by @ Self::Constant(bits))
            | (by @ Self::Constant(bits), value @ Self::Sum(_)) => {
                let (known, low) = value.low(case);
                match u32::try_from(bits) {
                    Ok(bits) if bits <= mask(known) && low & bits == 0 => value.add(by),
                    _ => Self::of_low(a_bits.min(b_bits), a | b),
                }
            }
            _ => Self::of_low(a_bits.min(b_bits), a | b),
        }
    }

    pub fn xor(self, other: Self, case: Case) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (self, other) {
            return Self::Constant(a ^ b);
        }
        let ((a_bits, a), (b_bits, b)) = (self.low(case), other.low(case));
        Self::of_low(a_bits.min(b_bits), a ^ b)
    }

    /// Shifted to the left in so many bits, 32 or 64.
    pub fn shl(self, by: Self, width: u32) -> Self {
        let Self::Constant(by) = by else { return Self::Unknown };
        let by = by as u32 % width;
        match self {
            Self::Constant(constant) if width == 64 => Self::Constant(constant << by),
            Self::Constant(constant) => Self::Constant(((constant as u32) << by).into()),
            Self::Sum(sum) if width == 32 => sum.times(1 << by).into(),
            Self::Low { bits, low } if width == 32 => Self::of_low(bits + by, low << by),
            Self::Bytes(bytes) if by.is_multiple_of(8) => {
                let (by, end) = ((by / 8) as usize, (width / 8) as usize);
                Self::of_bytes(std::array::from_fn(|at| {
                    if at < by || at >= end { Byte::Constant(0) } else { bytes[at - by] }
                }))
            }
            _ => Self::Unknown,
        }
    }

    /// Shifted to the right in so many bits, 32 or 64, with zeros.
    pub fn shr(self, by: Self, width: u32) -> Self {
        let Self::Constant(by) = by else { return Self::Unknown };
        let by = by as u32 % width;
        match self {
            Self::Constant(constant) => Self::Constant(constant >> by),
            Self::Bytes(bytes) if by.is_multiple_of(8) => {
                let by = (by / 8) as usize;
                Self::of_bytes(std::array::from_fn(|at| {
                    bytes.get(at + by).copied().unwrap_or(Byte::Constant(0))
                }))
            }
            _ if by == 0 => self,
            _ => Self::Unknown,
        }
    }

    /// Compares numbers of one width. Unknown where the guard does not decide it.
    pub fn compare(self, comparison: Comparison, other: Self, case: Case) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (self, other) {
            return Self::from(match comparison {
                Comparison::Same => a == b,
                Comparison::Less => a < b,
            });
        }
        let (a_bits, a) = self.low(case);
        let (b_bits, b) = other.low(case);
        let common = mask(a_bits.min(b_bits));
        if matches!(comparison, Comparison::Same) && a & common != b & common {
            return Self::from(false);
        }
        let Some((a, b)) = self.sum().zip(other.sum()) else { return Self::Unknown };
        for base in [Sum::TO, Sum::FROM] {
            if let (Some(a), Some(b)) = (a.behind(base, case), b.behind(base, case)) {
                return Self::from(match comparison {
                    Comparison::Same => a == b,
                    Comparison::Less => a < b,
                });
            }
        }
        if a == b {
            return Self::from(matches!(comparison, Comparison::Same));
        }
        let ((a_least, a_most), (b_least, b_most)) = (a.range(case), b.range(case));
        match comparison {
            _ if a_most < b_least => Self::from(matches!(comparison, Comparison::Less)),
            Comparison::Same if b_most < a_least => Self::from(false),
            Comparison::Less if b_most <= a_least => Self::from(false),
            _ => Self::Unknown,
        }
    }
}
