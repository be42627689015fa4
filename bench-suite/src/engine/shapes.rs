//! The types of the Polkadot host's functions, so that each can be given to an engine as a typed
//! closure, which is an engine's fastest way to a host function.

use lithify_abi::types::ValType;

/// A Wasm integer as a Rust type.
pub(super) trait Word {
    /// Its Wasm type as a list; that of `()` is empty.
    const TYPES: &[ValType];

    /// Its bits, zero-extended.
    fn bits(self) -> u64;

    /// The value with these low bits.
    fn from_bits(bits: u64) -> Self;
}

impl Word for u32 {
    const TYPES: &[ValType] = &[ValType::I32];

    fn bits(self) -> u64 {
        self.into()
    }

    fn from_bits(bits: u64) -> Self {
        bits as Self
    }
}

impl Word for u64 {
    const TYPES: &[ValType] = &[ValType::I64];

    fn bits(self) -> u64 {
        self
    }

    fn from_bits(bits: u64) -> Self {
        bits
    }
}

impl Word for () {
    const TYPES: &[ValType] = &[];

    fn bits(self) -> u64 {
        0
    }

    fn from_bits(_: u64) {}
}

/// Calls `$define!` with every type of a Polkadot host function.
macro_rules! shapes {
    ($define:ident) => {
        $define! {
            () -> (); () -> u32; () -> u64;
            (a u32) -> (); (a u32) -> u32; (a u32) -> u64;
            (a u64) -> (); (a u64) -> u32; (a u64) -> u64;
            (a u32 b u32) -> (); (a u32 b u32) -> u32; (a u32 b u32) -> u64;
            (a u32 b u64) -> (); (a u32 b u64) -> u32; (a u32 b u64) -> u64;
            (a u64 b u32) -> (); (a u64 b u32) -> u32; (a u64 b u32) -> u64;
            (a u64 b u64) -> (); (a u64 b u64) -> u32; (a u64 b u64) -> u64;
            (a u32 b u32 c u32) -> (); (a u32 b u32 c u32) -> u32; (a u32 b u32 c u32) -> u64;
            (a u32 b u32 c u64) -> u64; (a u32 b u64 c u32) -> u32;
            (a u32 b u64 c u64) -> (); (a u32 b u64 c u64) -> u64;
            (a u64 b u64 c u32) -> (); (a u64 b u64 c u32) -> u64;
            (a u64 b u64 c u64) -> (); (a u64 b u64 c u64) -> u64;
            (a u32 b u32 c u32 d u32) -> u32; (a u32 b u64 c u64 d u64) -> u32;
            (a u64 b u64 c u32 d u64) -> (); (a u64 b u64 c u32 d u64) -> u32;
            (a u64 b u64 c u32 d u64) -> u64; (a u64 b u64 c u64 d u32) -> u64;
            (a u64 b u64 c u64 d u64) -> u64;
            (a u32 b u64 c u64 d u64 e u32) -> u32; (a u64 b u64 c u32 d u64 e u64) -> ();
            (a u64 b u64 c u32 d u64 e u64 f u32) -> u64;
        }
    };
}

/// Defines `define`, which gives an engine's linker a host function as a closure of its type, under
/// its name. The engine's `run` gets its caller, the host function and the arguments.
macro_rules! definition {
    ($(($($param:ident $ty:ty)*) -> $result:ty;)*) => {
        fn define(linker: &mut Linker<Data>, function: &'static HostFunction) -> Result<()> {
            $(if *function.ty()
                == lithify_abi::types::FuncType::new(&[$(<$ty>::TYPES[0]),*], <$result>::TYPES)
            {
                let closure = move |mut caller: Caller<'_, Data>, $($param: $ty),*| {
                    run(&mut caller, function, &[$($param.bits()),*])
                        .map(<$result as Word>::from_bits)
                };
                return match linker.func_wrap(function.module(), function.name(), closure) {
                    Ok(_) => Ok(()),
                    Err(error) => bail!("{}: {error}", function.name()),
                };
            })*
            bail!("{function:?} has a type that is not in the list of shapes.rs");
        }
    };
}
