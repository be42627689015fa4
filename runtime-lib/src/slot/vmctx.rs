//! The bytes of a fresh vmctx: globals, and where they and all else lie.

use crate::image::loaded::Loaded;
use crate::image::section::{ExternDesc, ExternGlobal, Place};
use lithify_abi::descriptor::{FuncRecord, InitValue};
use lithify_abi::record::Field;
use lithify_abi::types::ValType;

/// Where an offset from `base` lies in a vmctx that is `len` bytes long.
pub fn index(offset: i32, len: usize) -> usize {
    len - offset.unsigned_abs() as usize
}

/// The bits of an initial value; other globals are read from `vmctx`.
pub fn initial_value(image: &Loaded, value: InitValue, vmctx: &[u8]) -> u128 {
    match value {
        InitValue::Const(bits) => bits,
        InitValue::Global(offset) => {
            let start = index(offset, vmctx.len());
            let mut bytes = [0; 16];
            let end = vmctx.len().min(start + 16);
            bytes[..end - start].copy_from_slice(&vmctx[start..end]);
            u128::from_le_bytes(bytes)
        }
        InitValue::Func(record) => {
            u128::from(image.func_records() + u64::from(record) * FuncRecord::SIZE as u64)
        }
    }
}

/// A vmctx with the initial values of globals, and zeros elsewhere.
pub fn initial(image: &Loaded) -> Vec<u8> {
    let mut vmctx = vec![0; image.records().descriptor.vmctx_size as usize];
    let put = |offset: i32, ty: ValType, bits: u128, vmctx: &mut [u8]| {
        let size = ty.size() as usize;
        let start = index(offset, vmctx.len());
        vmctx[start..][..size].copy_from_slice(&bits.to_le_bytes()[..size]);
    };
    let mut imported = 0;
    for (import, bits) in image.records().imports.iter().zip(&image.globals) {
        if let ExternDesc::Global(ExternGlobal { ty, place: Place::Vmctx(offset), .. }) =
            import.desc
        {
            put(offset, ty, *bits, &mut vmctx);
            imported += 1;
        }
    }
    for global in image.records().globals.iter().skip(imported) {
        let bits = initial_value(image, global.init, &vmctx);
        put(global.offset, global.ty, bits, &mut vmctx);
    }
    vmctx
}
