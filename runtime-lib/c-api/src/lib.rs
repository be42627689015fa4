//! The C interface, for programs that a linked module is a part of. `include/lithify.h` says what
//! each function does; this file only translates.

#![warn(clippy::unwrap_used)]

use lithify_runtime::{
    CallOptions, Caller, Guest, HostError, Image, Instance, InstanceError, InstanceOptions,
    MemoryPlan, Pool,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::time::Duration;
use std::{ptr, slice};

/// `lithify_options`
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Options {
    extra_pages: u32,
    max_pages: u32,
    stack_size: usize,
    timeout_ns: u64,
}

/// `lithify_pool`
pub struct LinkedPool {
    pool: Pool,
    timeout: Option<Duration>,
}

/// `lithify_instance`
pub struct LinkedInstance {
    instance: Instance,
    timeout: Option<Duration>,
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

fn set_error(text: &str) {
    let text = text.replace('\0', "\u{fffd}");
    LAST_ERROR.set(CString::new(text).unwrap_or_default());
}

/// An error's words and those of its causes.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// `lithify_last_error`
#[unsafe(no_mangle)]
pub extern "C" fn lithify_last_error() -> *const c_char {
    LAST_ERROR.with_borrow(|error| error.as_ptr())
}

/// The result of `make` on the heap; null and an error message when it fails.
fn boxed<T, E: Error>(made: Result<T, E>) -> *mut T {
    match made {
        Ok(value) => Box::into_raw(Box::new(value)),
        Err(error) => {
            set_error(&with_causes(&error));
            ptr::null_mut()
        }
    }
}

/// `lithify_pool_new`
///
/// # Safety
///
/// As for [`Image::linked`]; `options` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_pool_new(
    module: *const u8,
    options: *const Options,
) -> *mut LinkedPool {
    // SAFETY: null or valid, as the caller vouches.
    let options = unsafe { options.as_ref() };
    let mut plan = InstanceOptions::default();
    let mut timeout = None;
    if let Some(options) = options {
        plan.memory = match (options.extra_pages, options.max_pages) {
            (0, 0) => MemoryPlan::Module,
            (0, max) => MemoryPlan::Dynamic { extra_pages: 0, max_pages: Some(max) },
            (extra_pages, _) => MemoryPlan::Static { extra_pages },
        };
        if options.stack_size != 0 {
            plan.stack_size = options.stack_size;
        }
        timeout = Some(options.timeout_ns).filter(|ns| *ns != 0).map(Duration::from_nanos);
    }
    // SAFETY: the caller vouches for the module.
    let image = unsafe { Image::linked(module) };
    let pool = match image {
        Ok(image) => Pool::new(&image, &plan),
        Err(error) => return boxed(Err(error)),
    };
    boxed(pool.map(|pool| LinkedPool { pool, timeout }))
}

/// `lithify_pool_free`
///
/// # Safety
///
/// `pool` is null or comes from `lithify_pool_new` and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_pool_free(pool: *mut LinkedPool) {
    if !pool.is_null() {
        // SAFETY: made by `boxed`, as the caller vouches.
        drop(unsafe { Box::from_raw(pool) });
    }
}

/// `lithify_instance_new`
///
/// # Safety
///
/// `pool` is valid; `entry` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_instance_new(
    pool: *const LinkedPool,
    entry: *const c_char,
) -> *mut LinkedInstance {
    // SAFETY: valid, as the caller vouches.
    let LinkedPool { pool, timeout } = unsafe { &*pool };
    let options = CallOptions::within(*timeout);
    let made: Result<_, InstanceError> = match entry.is_null() {
        true => pool.instance_with(options),
        false => {
            // SAFETY: a C string, as the caller vouches.
            let name = unsafe { CStr::from_ptr(entry) }.to_string_lossy();
            match pool.entry(&name) {
                Some(entry) => entry.instance_with(options),
                None => pool.instance_with(options),
            }
        }
    };
    boxed(made.map(|instance| LinkedInstance { instance, timeout: *timeout }))
}

/// `lithify_instance_free`
///
/// # Safety
///
/// `instance` is null or comes from `lithify_instance_new` and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_instance_free(instance: *mut LinkedInstance) {
    if !instance.is_null() {
        // SAFETY: made by `boxed`, as the caller vouches.
        drop(unsafe { Box::from_raw(instance) });
    }
}

/// `lithify_call`
///
/// # Safety
///
/// `instance` is valid and not in use, `name` is a C string, `values` points at `count` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_call(
    instance: *mut LinkedInstance,
    name: *const c_char,
    values: *mut u128,
    count: usize,
) -> c_int {
    // SAFETY: valid, as the caller vouches.
    let (linked, name) = unsafe { (&mut *instance, CStr::from_ptr(name).to_string_lossy()) };
    let LinkedInstance { instance, timeout } = linked;
    let values = match count {
        0 => &mut [],
        // SAFETY: as many values as the caller says, 16 bytes each.
        _ => unsafe { slice::from_raw_parts_mut(values, count) },
    };
    let Some(func) = instance.func(&name) else {
        set_error(&format!("no function is exported as {name}"));
        return -1;
    };
    if count < func.array_len() {
        let ty = instance.func_type(&func);
        set_error(&format!("{count} values, but {name} is {ty}"));
        return -1;
    }
    match instance.call_with(&func, values, &mut (), CallOptions::within(*timeout)) {
        Ok(()) => 0,
        Err(trap) => {
            set_error(&trap.to_string());
            -1
        }
    }
}

/// `lithify_memory`
///
/// # Safety
///
/// `instance` is valid and not in use; `len` is null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_memory(instance: *mut LinkedInstance, len: *mut usize) -> *mut u8 {
    // SAFETY: valid, as the caller vouches.
    let memory = unsafe { &mut *instance }.instance.memory();
    if !len.is_null() {
        // SAFETY: valid, as the caller vouches.
        unsafe { len.write(memory.len()) };
    }
    memory.as_mut_ptr()
}

/// `lithify_global`
///
/// # Safety
///
/// `instance` is valid and not in use, `name` is a C string, `value` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_global(
    instance: *const LinkedInstance,
    name: *const c_char,
    value: *mut u128,
) -> c_int {
    // SAFETY: valid, as the caller vouches.
    let (linked, name) = unsafe { (&*instance, CStr::from_ptr(name).to_string_lossy()) };
    let Some(found) = linked.instance.global_get(&name) else {
        set_error(&format!("no global is exported as {name}"));
        return -1;
    };
    // SAFETY: valid, as the caller vouches.
    unsafe { value.write(found.to_bits()) };
    0
}

/// `lithify_set_host_data`
///
/// # Safety
///
/// `instance` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_set_host_data(instance: *mut LinkedInstance, data: *mut c_void) {
    // SAFETY: valid, as the caller vouches.
    unsafe { &mut *instance }.instance.set_host_data(data as u64);
}

/// `lithify_trap`
///
/// # Safety
///
/// The current host function got `base` from its guest; `message` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_trap(base: *mut u8, message: *const c_char) -> ! {
    let stop = |_: &mut Caller<'_>| -> Result<Infallible, HostError> {
        // SAFETY: a C string, as the caller vouches; its copy belongs to the error.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
        Err(HostError(message))
    };
    // SAFETY: the caller vouches for `base`; this frame holds plain values only.
    match unsafe { Caller::enter(base, stop) } {}
}

/// `lithify_host_data`
///
/// # Safety
///
/// The current host function got `base` from its guest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_host_data(base: *mut u8) -> *mut c_void {
    // SAFETY: the caller vouches for `base`; this frame holds plain values only.
    unsafe { Caller::enter(base, |caller| Ok(caller.host_data() as *mut c_void)) }
}

/// `lithify_memory_len`
///
/// # Safety
///
/// The current host function got `base` from its guest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_memory_len(base: *mut u8) -> usize {
    // SAFETY: the caller vouches for `base`; this frame holds plain values only.
    unsafe { Caller::enter(base, |caller| Ok(caller.memory().len())) }
}

/// `lithify_touch`
///
/// # Safety
///
/// The current host function got `base` from its guest.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_touch(base: *mut u8, address: u32, len: u32) {
    let range = address as usize..address as usize + len as usize;
    // SAFETY: the caller vouches for `base`; this frame holds plain values only.
    unsafe {
        Caller::enter(base, |caller| {
            caller.touch(range);
            Ok(())
        });
    }
}
