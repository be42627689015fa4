//! WebAssembly to native code, ahead of time: `bytes -> module -> CLIF -> object -> image`.

#![forbid(unsafe_code)]

mod codegen;
mod error;
mod image;
mod layout;
mod memory_image;
mod metadata;
mod module;
mod object;
mod options;
mod parse;
mod stub;
mod target;
mod trampoline;
mod translate;

pub use error::CompileError;
pub use options::{Arch, Options, Profile, Target};

/// Compiles `wasm` into a relocatable ELF object.
pub fn compile_object(wasm: &[u8], options: &Options) -> Result<Vec<u8>, CompileError> {
    let module = parse::parse(wasm, options)?;
    let layout = layout::Layout::new(&module);
    let text = codegen::codegen(wasm, &module, &layout, options.target, options.jobs, false)?;
    let image = memory_image::MemoryImage::new(&module);
    let metadata = metadata::metadata(&module, &layout, &text, &image, options);
    object::object(&module, &layout, text, metadata, image, options.target)
}

/// Compiles `wasm` into an image: a shared ELF file that `lithify-runtime` maps and runs.
pub fn compile_image(wasm: &[u8], options: &Options) -> Result<Vec<u8>, CompileError> {
    let module = parse::parse(wasm, options)?;
    let layout = layout::Layout::new(&module);
    let text = codegen::codegen(wasm, &module, &layout, options.target, options.jobs, true)?;
    let image = memory_image::MemoryImage::new(&module);
    let metadata = metadata::metadata(&module, &layout, &text, &image, options);
    let object = object::object(&module, &layout, text, metadata, image, options.target)?;
    drop(module);
    image::image(&object, options.target)
}
