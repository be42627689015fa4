//! A function of an image, to be called.

use super::check_funcs;
use crate::image::loaded::Loaded;
use lithify_abi::descriptor::{FuncRecord, NONE};
use lithify_abi::types::{FuncType, ValType};

/// A function of an image, found by its name or a reference. It can be called on any instance
/// of that image.
#[derive(Clone, Copy, Debug)]
pub struct Func {
    /// [`Loaded::id`] of its image.
    image: u64,
    code: u32,
    entry: u32,
    ty: u32,
    /// Length of the array of values that a call needs.
    array_len: u32,
    /// Whether a parameter is a reference to a function.
    takes_funcs: bool,
}

impl Func {
    /// The function exported as `name`.
    pub(crate) fn export(image: &Loaded, name: &str) -> Option<Self> {
        let (_, function) = image.exported_function(name)?;
        Some(Self::new(image, function.code, function.entry, function.ty))
    }

    /// The function that a reference names; `None` for null and for anything else that is not a
    /// reference of this image.
    pub(crate) fn reference(image: &Loaded, bits: u64) -> Option<Self> {
        let record: FuncRecord = image.func_record_at(bits)?;
        (record.entry != NONE).then(|| Self::new(image, record.code, record.entry, record.ty))
    }

    fn new(image: &Loaded, code: u32, entry: u32, ty: u32) -> Self {
        let FuncType { params, results } = image.records().func_type(ty);
        Self {
            image: image.id,
            code,
            entry,
            ty,
            array_len: params.len().max(results.len()) as u32,
            takes_funcs: params.contains(&ValType::FuncRef),
        }
    }

    /// Length of the array that a call takes its arguments from and puts its results into: that of the
    /// longer of the two lists.
    pub fn array_len(&self) -> usize {
        self.array_len as usize
    }

    /// Its type, which `image` knows.
    pub(crate) fn ty<'a>(&self, image: &'a Loaded) -> &'a FuncType {
        assert_eq!(self.image, image.id, "a function of this image");
        image.records().func_type(self.ty)
    }

    /// Checks that it can be called on an instance of `image` with these values.
    ///
    /// # Panics
    ///
    /// When it cannot.
    #[inline]
    pub(super) fn check(&self, image: &Loaded, values: &[u128]) {
        assert_eq!(self.image, image.id, "a function of this image");
        assert!(
            values.len() >= self.array_len as usize,
            "an element for each parameter and result"
        );
        if self.takes_funcs {
            check_funcs(image, &self.ty(image).params, values);
        }
    }

    /// Its entry trampoline and its code in `image`, which is its own.
    #[inline]
    pub(super) fn code(&self, image: &Loaded) -> (*const u8, *const u8) {
        (image.code(self.entry), image.code(self.code))
    }
}
