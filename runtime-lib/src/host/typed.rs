//! Rust functions as native code: what a guest calls with nothing in between.
//!
//! A function that captures nothing is no value but a type, so a shim in the C convention can be
//! made for it at compile time. It costs a call; a closure that captures goes through an exit
//! trampoline and an array.
//!
//! The rule not to break: a guest's bits become a Rust value here with nothing in between, so only
//! types for which all bits are good may be a [`Native`], and only functions from here a
//! [`TypedFunction`]. All three traits are sealed.

use super::{Caller, HostError, Imports};
use lithify_abi::types::{FuncType, ValType};
use std::ffi::c_void;

mod sealed {
    /// Values that nobody outside this library can add to.
    pub trait Value {}
    /// Functions of parameters `P` and result `R`, likewise.
    pub trait Function<P, R> {}
}

/// A Rust type of a parameter or result. It is sealed: any bits of a guest are a value of it.
///
/// ```compile_fail
/// # use lithify_runtime::{ValType, host::Native};
/// #[derive(Clone, Copy)]
/// struct Pointer(&'static u64);
/// impl Native for Pointer {
///     const TYPE: ValType = ValType::I64;
/// }
/// ```
pub trait Native: Copy + 'static + sealed::Value {
    /// Its value type.
    const TYPE: ValType;
}

macro_rules! native {
    ($($ty:ty => $value:ident),*) => {$(
        impl sealed::Value for $ty {}
        impl Native for $ty {
            const TYPE: ValType = ValType::$value;
        }
    )*};
}
native!(i32 => I32, u32 => I32, i64 => I64, u64 => I64, f32 => F32, f64 => F64);

/// What a function returns: nothing or one value. Sealed, as [`Native`] is.
///
/// ```compile_fail
/// # use lithify_runtime::{ValType, host::NativeResult};
/// #[derive(Clone, Copy)]
/// struct Pair(u64, u64);
/// impl NativeResult for Pair {
///     const TYPE: Option<ValType> = Some(ValType::I64);
/// }
/// ```
pub trait NativeResult: Copy + 'static + sealed::Value {
    /// Its value type, if there is one.
    const TYPE: Option<ValType>;
}

impl sealed::Value for () {}
impl NativeResult for () {
    const TYPE: Option<ValType> = None;
}

impl<T: Native> NativeResult for T {
    const TYPE: Option<ValType> = Some(T::TYPE);
}

/// A function or closure that captures nothing, of these parameters `P` and this result `R`. Sealed:
/// a guest jumps to its shim.
///
/// ```compile_fail
/// # use lithify_runtime::{FuncType, host::TypedFunction};
/// #[derive(Clone, Copy)]
/// struct Jump;
/// struct Mine;
/// impl TypedFunction<Mine, Mine> for Jump {
///     fn ty() -> FuncType {
///         FuncType::new(&[], &[])
///     }
///     fn shim() -> *const std::ffi::c_void {
///         0x4141_4141_4141 as *const std::ffi::c_void
///     }
/// }
/// ```
pub trait TypedFunction<P, R>: Copy + Send + Sync + 'static + sealed::Function<P, R> {
    /// Its type for a guest.
    fn ty() -> FuncType;
    /// The address of its shim.
    fn shim() -> *const c_void;
}

macro_rules! typed_function {
    ($($param:ident),*) => {
        impl<F, R, $($param),*> sealed::Function<($($param,)*), R> for F
        where
            F: Fn(&mut Caller<'_>, $($param),*) -> Result<R, HostError>,
            R: NativeResult,
            $($param: Native),*
        {
        }

        impl<F, R, $($param),*> TypedFunction<($($param,)*), R> for F
        where
            F: Fn(&mut Caller<'_>, $($param),*) -> Result<R, HostError>
                + Copy + Send + Sync + 'static,
            R: NativeResult,
            $($param: Native),*
        {
            fn ty() -> FuncType {
                FuncType {
                    params: [$($param::TYPE),*].to_vec(),
                    results: R::TYPE.into_iter().collect(),
                }
            }

            fn shim() -> *const c_void {
                const { assert!(size_of::<F>() == 0, "a typed function captures nothing") };
                /// # Safety
                ///
                /// Only for compiled code, which passes its own `base`.
                #[allow(non_snake_case, reason = "named after their types")]
                unsafe extern "C" fn shim<F, R, $($param),*>(base: *mut u8, $($param: $param),*) -> R
                where
                    F: Fn(&mut Caller<'_>, $($param),*) -> Result<R, HostError>,
                {
                    let function = std::ptr::NonNull::<F>::dangling();
                    // SAFETY: a type without size is everywhere. Compiled code passed `base`, and
                    // this frame holds plain values only.
                    unsafe {
                        let function = function.as_ref();
                        Caller::enter(base, |caller| function(caller, $($param),*))
                    }
                }
                shim::<F, R, $($param),*> as *const c_void
            }
        }
    };
}
typed_function!();
typed_function!(A);
typed_function!(A, B);
typed_function!(A, B, C);
typed_function!(A, B, C, D);
typed_function!(A, B, C, D, E);

impl Imports {
    /// Provides a function that captures nothing, as native code: the fastest way in Rust. Its
    /// Wasm type is that of its parameters and its result.
    ///
    /// ```
    /// # use lithify_runtime::Imports;
    /// let mut imports = Imports::new();
    /// imports.typed("env", "next", |_: &mut lithify_runtime::Caller<'_>, x: u32| Ok(x + 1));
    /// ```
    ///
    /// Instances move between threads, so it has to be good on each, as a closure of
    /// [`func`](Self::func) has: what it captures is `Send` and `Sync`, even where it has no size.
    ///
    /// ```compile_fail
    /// # use lithify_runtime::Imports;
    /// #[derive(Clone, Copy)]
    /// struct OnlyHere(std::marker::PhantomData<*const ()>);
    /// let token = OnlyHere(std::marker::PhantomData);
    /// Imports::new().typed("env", "here", move |_: &mut lithify_runtime::Caller<'_>| {
    ///     let _here: OnlyHere = token;
    ///     Ok(())
    /// });
    /// ```
    pub fn typed<P, R, F: TypedFunction<P, R>>(
        &mut self,
        module: &str,
        name: &str,
        function: F,
    ) -> &mut Self {
        let _ = function;
        // SAFETY: the shim has exactly this type, and turns errors and panics into traps.
        unsafe { self.native(module, name, F::ty(), F::shim()) }
    }
}
