//! The functions of preview 1: one table of names and types, as functions of a caller and as imports.

use crate::Wasi;
use lithify_runtime::host::{Caller, Guest, HostError, Imports};
use lithify_runtime::{FuncType, ValType};
use wasi_common::I32Exit;
use wasi_common::snapshots::preview_1::wasi_snapshot_preview1 as preview1;
use wiggle::{GuestMemory, run_in_dummy_executor};

/// The module that the functions are imported from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// Hands the functions that return an `errno` to a macro, with the names and types of what they take:
/// all of preview 1 but `proc_exit`.
#[macro_export]
macro_rules! each_function {
    ($each:ident) => {
        $each! {
            args_get(a: i32, b: i32);
            args_sizes_get(a: i32, b: i32);
            environ_get(a: i32, b: i32);
            environ_sizes_get(a: i32, b: i32);
            clock_res_get(a: i32, b: i32);
            clock_time_get(a: i32, b: i64, c: i32);
            fd_advise(a: i32, b: i64, c: i64, d: i32);
            fd_allocate(a: i32, b: i64, c: i64);
            fd_close(a: i32);
            fd_datasync(a: i32);
            fd_fdstat_get(a: i32, b: i32);
            fd_fdstat_set_flags(a: i32, b: i32);
            fd_fdstat_set_rights(a: i32, b: i64, c: i64);
            fd_filestat_get(a: i32, b: i32);
            fd_filestat_set_size(a: i32, b: i64);
            fd_filestat_set_times(a: i32, b: i64, c: i64, d: i32);
            fd_pread(a: i32, b: i32, c: i32, d: i64, e: i32);
            fd_prestat_get(a: i32, b: i32);
            fd_prestat_dir_name(a: i32, b: i32, c: i32);
            fd_pwrite(a: i32, b: i32, c: i32, d: i64, e: i32);
            fd_read(a: i32, b: i32, c: i32, d: i32);
            fd_readdir(a: i32, b: i32, c: i32, d: i64, e: i32);
            fd_renumber(a: i32, b: i32);
            fd_seek(a: i32, b: i64, c: i32, d: i32);
            fd_sync(a: i32);
            fd_tell(a: i32, b: i32);
            fd_write(a: i32, b: i32, c: i32, d: i32);
            path_create_directory(a: i32, b: i32, c: i32);
            path_filestat_get(a: i32, b: i32, c: i32, d: i32, e: i32);
            path_filestat_set_times(a: i32, b: i32, c: i32, d: i32, e: i64, f: i64, g: i32);
            path_link(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32);
            path_open(a: i32, b: i32, c: i32, d: i32, e: i32, f: i64, g: i64, h: i32, i: i32);
            path_readlink(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
            path_remove_directory(a: i32, b: i32, c: i32);
            path_rename(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
            path_symlink(a: i32, b: i32, c: i32, d: i32, e: i32);
            path_unlink_file(a: i32, b: i32, c: i32);
            poll_oneoff(a: i32, b: i32, c: i32, d: i32);
            proc_raise(a: i32);
            random_get(a: i32, b: i32);
            sock_accept(a: i32, b: i32, c: i32);
            sock_recv(a: i32, b: i32, c: i32, d: i32, e: i32, f: i32);
            sock_send(a: i32, b: i32, c: i32, d: i32, e: i32);
            sock_shutdown(a: i32, b: i32);
            sched_yield();
        }
    };
}

/// `errno::inval`.
const INVALID: i32 = 28;

/// So many buffers or subscriptions at most may be named in one call (`IOV_MAX` on Linux): each
/// takes memory of this process.
const MAX_ITEMS: i32 = 1024;

/// What is to be done before a function gets the guest's memory.
#[derive(Clone, Copy)]
struct Before {
    /// Its third argument counts a list.
    counts: bool,
    /// The kernel writes there.
    touches: bool,
}

impl Before {
    /// By the name of the function.
    const fn of(name: &str) -> Self {
        let reads = is_one_of(name, &["fd_read", "fd_pread", "sock_recv"]);
        let lists = is_one_of(name, &["fd_write", "fd_pwrite", "sock_send", "poll_oneoff"]);
        Self { counts: reads || lists, touches: reads || is_one_of(name, &["random_get"]) }
    }

    /// Whether the function may be called.
    fn prepare(self, caller: &mut Caller<'_>, third: Option<i64>) -> bool {
        if self.touches {
            let len = caller.memory().len();
            caller.touch(0..len);
        }
        !self.counts || third.is_some_and(|count| (0..=i64::from(MAX_ITEMS)).contains(&count))
    }
}

/// Whether the list has the name.
const fn is_one_of(name: &str, list: &[&str]) -> bool {
    let name = name.as_bytes();
    let mut index = 0;
    while index < list.len() {
        let other = list[index].as_bytes();
        let mut same = 0;
        while same < name.len() && same < other.len() && name[same] == other[same] {
            same += 1;
        }
        if same == name.len() && same == other.len() {
            return true;
        }
        index += 1;
    }
    false
}

/// Makes each function one of its caller.
macro_rules! functions {
    ($($name:ident($($param:ident: $ty:tt),*);)*) => {$(
        #[doc = concat!("`", stringify!($name), "` of preview 1: returns the `errno`.")]
        ///
        /// # Errors
        ///
        /// Where the guest has to stop: it calls from a start function, or names what is no memory.
        #[allow(clippy::too_many_arguments, reason = "as preview 1 has them")]
        pub fn $name(caller: &mut Caller<'_> $(, $param: $ty)*) -> Result<i32, HostError> {
            const BEFORE: Before = Before::of(stringify!($name));
            let words: &[i64] = &[$(i64::from($param)),*];
            if !BEFORE.prepare(caller, words.get(2).copied()) {
                return Ok(INVALID);
            }
            let (memory, wasi) = parts(caller)?;
            let mut memory = GuestMemory::Unshared(memory);
            let call = preview1::$name(&mut wasi.context, &mut memory $(, $param)*);
            let errno = run_in_dummy_executor(call).and_then(|result| result);
            errno.map_err(failed)
        }
    )*};
}

each_function!(functions);

/// `proc_exit` of preview 1, which stops the guest.
///
/// # Errors
///
/// Always: that is how a guest stops.
pub fn proc_exit(caller: &mut Caller<'_>, status: i32) -> Result<(), HostError> {
    let (_, wasi) = parts(caller)?;
    wasi.exit = Some(status);
    Err(HostError(I32Exit(status).to_string()))
}

macro_rules! ty {
    (i32) => {
        ValType::I32
    };
    (i64) => {
        ValType::I64
    };
}

/// The type of a function of preview 1.
pub fn type_of(name: &str) -> Option<FuncType> {
    macro_rules! find {
        ($($name:ident($($param:ident: $ty:tt),*);)*) => {
            match name {
                "proc_exit" => Some(FuncType::new(&[ValType::I32], &[])),
                $(stringify!($name) => Some(FuncType::new(&[$(ty!($ty)),*], &[ValType::I32])),)*
                _ => None,
            }
        };
    }
    each_function!(find)
}

/// The functions of preview 1. The data of calls is a [`Wasi`].
pub fn imports() -> Imports {
    let mut imports = Imports::new();
    macro_rules! bind {
        ($($name:ident($($param:ident: $ty:tt),*);)*) => {$({
            let ty = FuncType::new(&[$(ty!($ty)),*], &[ValType::I32]);
            #[allow(unused_mut, unused_variables, reason = "one function takes nothing")]
            imports.func(MODULE, stringify!($name), ty, |caller, slots| {
                let mut words = slots.iter();
                $(let $param = words.next().map_or(0, |word| *word as $ty);)*
                slots[0] = u128::from($name(caller $(, $param)*)? as u32);
                Ok(())
            });
        })*};
    }
    each_function!(bind);
    imports.func(MODULE, "proc_exit", FuncType::new(&[ValType::I32], &[]), |caller, slots| {
        proc_exit(caller, slots[0] as i32)
    });
    imports
}

/// The guest's memory, and the program that it is. A start function has none: it runs before whoever
/// made the instance can pass it.
fn parts<'a>(caller: &'a mut Caller<'_>) -> Result<(&'a mut [u8], &'a mut Wasi), HostError> {
    const NONE: &str = "a start function, which runs before the program begins, cannot call WASI";
    let (memory, data) = caller.memory_and_data();
    Ok((memory, data.downcast_mut().ok_or_else(|| HostError(NONE.into()))?))
}

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError(error.to_string())
}
