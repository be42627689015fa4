//! What an executable of `lithify compile --emit exe` consists of besides the module: the functions
//! of preview 1 as the symbols that the module's object wants, and a start.
//!
//! ```text
//! program.o (lithify_module) + main.c (directories) + this library --cc--> an executable
//! ```
//!
//! The one caller is `main.c`, which `src/commands/compile/executable.rs` writes: whoever changes
//! [`lithify_program`] changes it there. What a program does and may do is `lithify_wasi`'s business.

#![warn(clippy::unwrap_used)]

use lithify_runtime::{
    CallOptions, Caller, Image, ImageError, InstanceError, InstanceOptions, Pool, Trap, TrapCode,
};
use lithify_wasi::{Program, ProgramError, functions};
use std::error::Error;
use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

/// Defines the functions that return an `errno`.
macro_rules! symbols {
    ($($name:ident($($param:ident: $ty:tt),*);)*) => {$(
        /// The function of preview 1.
        ///
        /// # Safety
        ///
        /// The guest of `base` calls it.
        #[unsafe(export_name = concat!("lithify_import_wasi_snapshot_preview1__", stringify!($name)))]
        unsafe extern "C" fn $name(base: *mut u8 $(, $param: $ty)*) -> i32 {
            // SAFETY: the guest passed `base`; this frame holds plain values only.
            unsafe { Caller::enter(base, |caller| functions::$name(caller $(, $param)*)) }
        }
    )*};
}

lithify_wasi::each_function!(symbols);

/// `proc_exit`, which returns nothing, because it does not return.
///
/// # Safety
///
/// The guest of `base` calls it.
#[unsafe(export_name = "lithify_import_wasi_snapshot_preview1__proc_exit")]
unsafe extern "C" fn proc_exit(base: *mut u8, status: i32) {
    // SAFETY: the guest passed `base`; this frame holds plain values only.
    unsafe { Caller::enter(base, |caller| functions::proc_exit(caller, status)) }
}

/// Runs the program that `module` is, and returns its exit status; 1 where it cannot begin, 134 where
/// it traps, with a message on standard error.
///
/// Its directories are `HOST::GUEST` each.
///
/// # Safety
///
/// `module` is the symbol `lithify_module` of an object that Lithify made; `arguments` points at
/// `count` C strings, `directories` at C strings with a null pointer behind them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lithify_program(
    module: *const u8,
    count: c_int,
    arguments: *const *const c_char,
    directories: *const *const c_char,
) -> c_int {
    // SAFETY: C strings, as the caller vouches.
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: there are as many as the caller says.
    let mut arguments = (0..count).map(|index| text(unsafe { *arguments.add(index) }));
    let name = arguments.next().unwrap_or_default();
    let file = Path::new(&name).file_name().map(|file| file.to_string_lossy().into_owned());
    let mut program = Program::new(&file.unwrap_or_default());
    arguments.for_each(|argument| {
        program.argument(&argument);
    });
    let mut next = directories;
    // SAFETY: the list ends with a null pointer.
    while let directory = unsafe { *next }
        && !directory.is_null()
    {
        let directory = text(directory);
        let (host, guest) = directory.split_once("::").unwrap_or((&directory, &directory));
        program.directory(Path::new(host), guest);
        next = next.wrapping_add(1);
    }
    // SAFETY: the caller vouches for the module.
    match unsafe { run(module, &program) } {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("{name}: {}", with_causes(&failure));
            match failure {
                Failure::Trap(trap) if trap.code == TrapCode::Deadline => 124,
                Failure::Trap(_) => 134,
                _ => 1,
            }
        }
    }
}

/// Why a program came to no exit status of its own.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Trap(#[from] Trap),
}

/// # Safety
///
/// `module` is the symbol `lithify_module` of an object that Lithify made.
unsafe fn run(module: *const u8, program: &Program) -> Result<i32, Failure> {
    // SAFETY: the caller vouches for it.
    let image = unsafe { Image::linked(module) }?;
    let pool = Pool::new(&image, &InstanceOptions::default())?;
    let mut wasi = program.start()?;
    let mut instance = pool.instance()?;
    Ok(wasi.run(&mut instance, CallOptions::default())?)
}

/// An error's words and those of its causes.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
