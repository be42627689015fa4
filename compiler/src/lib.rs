//! WebAssembly to native code, ahead of time.
//!
//! `bytes -> module -> CLIF -> object -> image`: [`compile`] is that list of calls. Each stage
//! borrows what the earlier one made and never reaches back. The compiler knows no host: what a
//! module imports is undefined in its output, for a loader or a linker to fill in.
//!
//! ```
//! use lithify_compiler::{CompileError, Options, compile_image};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wasm = wat::parse_str(
//!     r#"(module (func (export "twice") (param i32) (result i32)
//!         (i32.shl (local.get 0) (i32.const 1))))"#,
//! )?;
//! let image = compile_image(&wasm, &Options::default())?; // for x86-64-v3, on any machine
//! assert_eq!(image[..4], *b"\x7fELF");
//!
//! let cut_off = compile_image(&wasm[..20], &Options::default());
//! assert!(matches!(cut_off, Err(CompileError::Invalid { .. })));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used)]
#![forbid(unsafe_code)]

mod allocator;
mod branches;
mod codegen;
mod copying;
mod counting;
mod dump;
mod dwarf;
mod edges;
mod error;
mod header;
mod heat;
mod image;
mod index;
mod inlining;
mod inspect;
mod isa;
pub mod limits;
mod memory_image;
mod metadata;
mod module;
mod object;
mod options;
mod parse;
mod patch;
mod progress;
mod short;
mod sites;
mod stub;
mod switch;
mod symbol;
mod target;
mod text;
mod trampoline;
mod translate;
mod vmctx;
mod widen;

pub use branches::{Branches, Stray, branches};
pub use counting::{counter, counting};
pub use dump::{Dump, dump};
pub use error::{CompileError, Excess, OptionsError};
pub use header::header;
pub use heat::{Heat, HeatError};
pub use inspect::{
    Call, FeatureUse, FunctionBody, FunctionCalls, MemoryLayout, ModuleInfo, Survey, calls,
    functions, inspect, survey,
};
pub use lithify_abi::machine::Machine;
pub use options::{Inline, Options, Profile, Symbols, Tier};
pub use progress::{Phase, Progress};
pub use target::Target;

/// What to compile a module into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// An image: a shared ELF file that `lithify-runtime` maps and runs.
    Image,
    /// A relocatable ELF object for a native linker.
    Object,
}

/// Compiles `wasm`. The same module and options give the same bytes, whatever `jobs` is.
///
/// # Errors
///
/// Bytes that are no valid module, a module that the profile does not accept or that exceeds a
/// limit; see [`CompileError`]. No input panics.
pub fn compile(
    wasm: &[u8],
    emit: Emit,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<u8>, CompileError> {
    progress.phase(Phase::Parse);
    let object = parse::parse(wasm, options, |module| {
        let plan = vmctx::VmctxPlan::new(&module);

        progress.phase(Phase::Codegen);
        let exits = emit == Emit::Image;
        let text = codegen::codegen(&module, &plan, options, exits, progress)?;

        progress.phase(Phase::Object);
        let memory = memory_image::MemoryImage::new(&module)?;
        let metadata = metadata::metadata(&module, &plan, &text, &memory, options);
        let symbols = match emit {
            Emit::Image => &Symbols::default(),
            Emit::Object => &options.symbols,
        };
        object::object(&module, &plan, text, metadata, &memory, options.target, symbols)
    })?;
    if emit == Emit::Object {
        return Ok(object);
    }

    progress.phase(Phase::Image);
    image::image(&object, options.target)
}

/// [`compile`] into an image, unwatched.
pub fn compile_image(wasm: &[u8], options: &Options) -> Result<Vec<u8>, CompileError> {
    compile(wasm, Emit::Image, options, &())
}

/// [`compile`] into an object, unwatched.
pub fn compile_object(wasm: &[u8], options: &Options) -> Result<Vec<u8>, CompileError> {
    compile(wasm, Emit::Object, options, &())
}
