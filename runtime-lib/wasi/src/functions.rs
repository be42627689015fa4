//! The functions of preview 1 as imports: one table of names and types.

use crate::Wasi;
use lithify_runtime::host::{Caller, Guest, HostError, Imports};
use lithify_runtime::{FuncType, ValType};
use wasi_common::I32Exit;
use wasi_common::snapshots::preview_1::wasi_snapshot_preview1 as preview1;
use wiggle::{GuestMemory, run_in_dummy_executor};

/// The module that the functions are imported from.
pub const MODULE: &str = "wasi_snapshot_preview1";

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
    fn of(name: &str) -> Self {
        let reads = ["fd_read", "fd_pread", "sock_recv"].contains(&name);
        let counts = ["fd_write", "fd_pwrite", "sock_send", "poll_oneoff"].contains(&name);
        Self { counts: reads || counts, touches: reads || name == "random_get" }
    }

    /// Whether the function may be called.
    fn prepare(self, caller: &mut Caller<'_>, slots: &[u128]) -> bool {
        if self.touches {
            let len = caller.memory().len();
            caller.touch(0..len);
        }
        !self.counts || (0..=MAX_ITEMS).contains(&(slots[2] as i32))
    }
}

macro_rules! ty {
    (i32) => {
        ValType::I32
    };
    (i64) => {
        ValType::I64
    };
}

/// Adds functions that return an `errno`.
macro_rules! functions {
    ($imports:ident: $($name:ident($($param:ident: $ty:tt),*);)*) => {$({
        let ty = FuncType::new(&[$(ty!($ty)),*], &[ValType::I32]);
        let before = Before::of(stringify!($name));
        $imports.func(MODULE, stringify!($name), ty, move |caller, slots| {
            if !before.prepare(caller, slots) {
                slots[0] = INVALID as u128;
                return Ok(());
            }
            let mut words = slots.iter();
            $(let $param = words.next().map_or(0, |word| *word as $ty);)*
            let (memory, wasi) = parts(caller)?;
            let mut memory = GuestMemory::Unshared(memory);
            let call = preview1::$name(&mut wasi.context, &mut memory, $($param),*);
            let errno = run_in_dummy_executor(call).and_then(|result| result);
            slots[0] = u128::from(errno.map_err(failed)? as u32);
            Ok(())
        });
    })*};
}

/// The functions of preview 1. The data of calls is a [`Wasi`].
pub fn imports() -> Imports {
    let mut imports = Imports::new();
    functions! { imports:
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
    }
    imports.func(MODULE, "sched_yield", FuncType::new(&[], &[ValType::I32]), |_, slots| {
        std::thread::yield_now();
        slots[0] = 0;
        Ok(())
    });
    imports.func(MODULE, "proc_exit", FuncType::new(&[ValType::I32], &[]), |caller, slots| {
        let status = slots[0] as i32;
        let (_, wasi) = parts(caller)?;
        wasi.exit = Some(status);
        Err(HostError(I32Exit(status).to_string()))
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
