//! Returns a text by its address in linear memory, where whoever calls reads it up to its zero.

use std::ffi::{CStr, c_char};

#[unsafe(no_mangle)]
pub extern "C" fn somecall() -> *const c_char {
    const TEXT: &CStr = c"testingonly";
    TEXT.to_owned().into_raw()
}
