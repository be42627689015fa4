//! The runtime that the tests of sc-executor and sc-executor-wasmtime call, under the name that they
//! know it by: theirs is in no registry. `build` makes it of `guest/`.

/// Its code.
pub fn wasm_binary_unwrap() -> &'static [u8] {
    include_bytes!("../test-runtime.wasm")
}
