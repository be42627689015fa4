//! Fixed-size little-endian records, from one declaration each.

use alloc::vec::Vec;

/// A field of a record.
pub trait Field: Sized {
    /// Encoded size, in bytes.
    const SIZE: usize;
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the value off the front; `None` when the bytes end too early.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! int_field {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            const SIZE: usize = size_of::<$ty>();
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (head, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(<$ty>::from_le_bytes(*head))
            }
        }
    )*};
}
int_field!(u32, i32, u64, i64, u128);

impl<const N: usize> Field for [u8; N] {
    const SIZE: usize = N;
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(*head)
    }
}

/// Declares a struct whose encoding is its fields in order, without padding. It knows where each
/// of them lies (`OFFSETS`), and which refer to other bytes (`spans`).
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::record::Field for $name {
            const SIZE: usize = 0 $(+ <$ty as $crate::record::Field>::SIZE)*;
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                $($crate::record::Field::put(&self.$field, out);)*
            }
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::record::Field::take(bytes)?,)* })
            }
        }

        impl $name {
            /// Its fields that are a [`Span`](crate::descriptor::Span), with their names, in order.
            pub fn spans(
                &self,
            ) -> impl Iterator<Item = (&'static str, $crate::descriptor::Span)> + use<> {
                [$((
                    stringify!($field),
                    (&self.$field as &dyn core::any::Any).downcast_ref().copied(),
                ),)*]
                .into_iter()
                .filter_map(|(field, span)| Some((field, span?)))
            }
        }

        const _: () = {
            /// A number for each field.
            #[derive(Debug)]
            pub struct Offsets {
                $(
                    #[doc = concat!("Offset of `", stringify!($field), "`.")]
                    pub $field: usize,
                )*
            }

            impl $name {
                /// Where each field lies in the encoding, in bytes from its start.
                pub const OFFSETS: Offsets = {
                    let end = 0;
                    $(
                        let $field = end;
                        let end = end + <$ty as $crate::record::Field>::SIZE;
                    )*
                    assert!(end == <Self as $crate::record::Field>::SIZE);
                    Offsets { $($field,)* }
                };
            }
        };
    };
}
pub(crate) use record;

/// Decodes `bytes` as an array of records; `None` unless it is a whole number of them.
pub fn decode_all<T: Field>(mut bytes: &[u8]) -> Option<Vec<T>> {
    if !bytes.len().is_multiple_of(T::SIZE) {
        return None;
    }
    (0..bytes.len() / T::SIZE).map(|_| T::take(&mut bytes)).collect()
}

/// Encodes `records` one after the other.
pub fn encode_all<T: Field>(records: &[T]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() * T::SIZE);
    records.iter().for_each(|record| record.put(&mut out));
    out
}
