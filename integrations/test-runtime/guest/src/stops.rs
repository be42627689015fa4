//! Exports that do not return.

use alloc::vec::Vec;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn missing_external();
    fn yet_another_missing_external();
}

crate::exports! {
    fn test_panic() {
        panic!("as asked for");
    }

    fn test_conditional_panic(input: Vec<u8>) -> Vec<u8> {
        assert!(input.is_empty(), "as asked for");
        input
    }

    fn test_abort_on_panic() {
        sp_io::panic_handler::abort_on_panic("test_abort_on_panic called");
    }

    fn test_unreachable_intrinsic() {
        core::arch::wasm32::unreachable();
    }

    fn test_calling_missing_external() {
        // SAFETY: it takes nothing and gives nothing.
        unsafe { missing_external() };
    }

    fn test_calling_yet_another_missing_external() {
        // SAFETY: as above.
        unsafe { yet_another_missing_external() };
    }
}
