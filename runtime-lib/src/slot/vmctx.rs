//! The bytes of a fresh vmctx: globals, and where they and all else lie.

use crate::image::loaded::Loaded;
use lithify_abi::descriptor::FuncRecord;
use lithify_abi::descriptor::{init, kind};
use lithify_abi::record::Field;
use lithify_abi::types::ValType;

/// Where `slot`, an offset from `base`, lies in a vmctx that is `len` bytes long.
pub fn index(slot: i32, len: usize) -> usize {
    len - slot.unsigned_abs() as usize
}

/// The bits of an initial value; other globals are read from `vmctx`.
pub fn initial_value(image: &Loaded, form: u32, value: u128, vmctx: &[u8]) -> u128 {
    match form {
        init::GLOBAL => {
            let start = index(value as i32, vmctx.len());
            let mut bytes = [0; 16];
            let end = vmctx.len().min(start + 16);
            bytes[..end - start].copy_from_slice(&vmctx[start..end]);
            u128::from_le_bytes(bytes)
        }
        init::FUNC => u128::from(image.func_records() + value as u64 * FuncRecord::SIZE as u64),
        _ => value,
    }
}

/// A vmctx with the initial values of globals, and zeros elsewhere.
pub fn initial(image: &Loaded) -> Vec<u8> {
    let mut vmctx = vec![0; image.records.descriptor.vmctx_size as usize];
    let put = |slot: i32, ty: u32, bits: u128, vmctx: &mut [u8]| {
        let size = u8::try_from(ty).ok().and_then(ValType::from_u8).map_or(0, ValType::size);
        let start = index(slot, vmctx.len());
        vmctx[start..][..size as usize].copy_from_slice(&bits.to_le_bytes()[..size as usize]);
    };
    let imported = image.records.imports.iter().zip(&image.globals);
    let imported: Vec<_> = imported.filter(|(import, _)| import.kind == kind::GLOBAL).collect();
    for (import, bits) in &imported {
        put(import.slot, import.ty, **bits, &mut vmctx);
    }
    for global in image.records.globals.iter().skip(imported.len()) {
        let bits = initial_value(image, global.form, global.value, &vmctx);
        put(global.slot, global.ty, bits, &mut vmctx);
    }
    vmctx
}
