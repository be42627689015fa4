//! Signals that are not ours do what they did before the library was loaded.
//!
//! Each case runs in a process of its own: this test again, with the case's name in a variable.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{FuncType, Guest, Imports, TrapCode};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the memory of the guest that is running ends.
static MEMORY_END: AtomicUsize = AtomicUsize::new(0);

const CASE: &str = "LITHIFY_SIGNAL_CASE";

const WAT: &str = r#"(module
    (import "env" "host" (func $host))
    (memory 1)
    (func (export "host") call $host)
    (func $deep (export "deep") (param i32)
        (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
            (else (loop $l (br $l)))))
    (func (export "trap") (drop (i32.load (i32.const 0x10000)))))"#;

/// Runs `case` in a child process, after a trap has shown that our handler is there.
fn run(name: &str, before: fn(), case: fn()) -> Option<Output> {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        before();
        let mut imports = Imports::new();
        imports.func("env", "host", FuncType::new(&[], &[]), move |caller, _| {
            MEMORY_END.store(caller.memory().as_ptr_range().end as usize, Ordering::Relaxed);
            case();
            Ok(())
        });
        let pool = support::pool(WAT, &imports);
        let mut instance = pool.instance().unwrap();
        let trap = instance.func("trap").unwrap();
        instance.call(&trap, &mut [], &mut ()).unwrap_err();
        let host = instance.func("host").unwrap();
        instance.call(&host, &mut [], &mut ()).unwrap();
        println!("survived");
        std::process::exit(0);
    }
    if std::env::var(CASE).is_ok() {
        return None;
    }
    let output = support::program(&std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CASE, name)
        .output()
        .unwrap();
    Some(output)
}

fn check(name: &str, before: fn(), case: fn(), signal: Option<i32>, text: &str) {
    let Some(output) = run(name, before, case) else {
        return;
    };
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.signal(), signal, "{name}: {said}");
    assert!(said.contains(text), "{name}: {said}");
}

fn read_null() {
    // SAFETY: none: that is the test.
    unsafe { std::hint::black_box(std::ptr::null::<u8>()).read_volatile() };
}

#[test]
fn a_fault_in_a_host_function_kills() {
    check("a_fault_in_a_host_function_kills", || (), read_null, Some(libc::SIGSEGV), "");
}

#[test]
fn a_fault_beyond_memory_in_a_host_function_kills() {
    fn beyond() {
        // The guest's own address space, but not guest code.
        let address = MEMORY_END.load(Ordering::Relaxed) + 4096;
        // SAFETY: none: that is the test.
        unsafe { (address as *mut u8).write_volatile(1) };
    }
    let name = "a_fault_beyond_memory_in_a_host_function_kills";
    check(name, || (), beyond, Some(libc::SIGSEGV), "");
}

#[test]
fn stack_overflow_of_a_host_thread_is_reported() {
    fn overflow() {
        #[allow(unconditional_recursion, reason = "that is the test")]
        fn down(n: u64) -> u64 {
            let space = std::hint::black_box([n; 100]);
            down(n + 1) + space[n as usize % 100]
        }
        std::thread::spawn(|| down(0)).join().unwrap();
    }
    let name = "stack_overflow_of_a_host_thread_is_reported";
    check(name, || (), overflow, Some(libc::SIGABRT), "has overflowed its stack");
}

#[test]
fn a_signal_that_was_sent_kills() {
    fn send() {
        // SAFETY: no precondition.
        unsafe { libc::raise(libc::SIGILL) };
    }
    check("a_signal_that_was_sent_kills", || (), send, Some(libc::SIGILL), "");
}

#[test]
fn an_earlier_handler_still_works() {
    extern "C" fn leave(_: i32) {
        let text = b"the earlier handler\n";
        // SAFETY: both are allowed in a signal handler, and the buffer is that long.
        unsafe {
            libc::write(1, text.as_ptr().cast(), text.len());
            libc::_exit(0);
        }
    }
    fn install() {
        let handler = leave as *const () as usize;
        // SAFETY: the handler only writes and leaves.
        unsafe { libc::signal(libc::SIGSEGV, handler) };
    }
    let name = "an_earlier_handler_still_works";
    check(name, install, read_null, None, "the earlier handler");
}

#[test]
fn an_ignored_signal_that_was_sent_is_ignored() {
    fn ignore() {
        // SAFETY: no precondition.
        unsafe { libc::signal(libc::SIGFPE, libc::SIG_IGN) };
    }
    fn send() {
        // SAFETY: no precondition.
        unsafe { libc::raise(libc::SIGFPE) };
    }
    check("an_ignored_signal_that_was_sent_is_ignored", ignore, send, None, "survived");
}

#[test]
fn a_panic_in_a_thread_of_a_host_function_unwinds() {
    fn panic() {
        let result = std::panic::catch_unwind(|| panic!("inside"));
        assert!(result.is_err());
        assert!(std::thread::spawn(|| panic!("elsewhere")).join().is_err());
    }
    check("a_panic_in_a_thread_of_a_host_function_unwinds", || (), panic, None, "survived");
}

/// Sends this thread a signal every few milliseconds for as long as the process lives, and handles
/// it without `SA_ONSTACK`.
fn alarm_without_stack() {
    extern "C" fn handler(_: i32) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler only counts.
    unsafe { libc::signal(libc::SIGALRM, handler as *const () as usize) };
    // SAFETY: no precondition.
    let thread = unsafe { libc::pthread_self() };
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(std::time::Duration::from_millis(5));
            // SAFETY: the thread lives as long as the process.
            unsafe { libc::pthread_kill(thread, libc::SIGALRM) };
        }
    });
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// Looks for the deepest recursion that the stack allows, with a loop of up to 100 ms at the end of
/// each, where signals come: the codes with which the calls ended.
fn deepest() -> Vec<TrapCode> {
    let mut imports = Imports::new();
    imports.trap_missing(true);
    let mut instance = support::pool(WAT, &imports).instance().unwrap();
    let deep = instance.func("deep").unwrap();
    let mut codes = Vec::new();
    let (mut good, mut bad) = (0_u32, 1 << 20);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(100);
        let options = lithify_runtime::CallOptions::until(deadline);
        let trap = instance.call_with(&deep, &mut [middle.into()], &mut (), options).unwrap_err();
        match trap.code {
            TrapCode::StackOverflow => bad = middle,
            _ => good = middle,
        }
        codes.push(trap.code);
    }
    assert!(SIGNALS.load(Ordering::Relaxed) > 0);
    codes
}

#[test]
fn an_earlier_handler_has_a_stack_when_the_guest_has_none() {
    fn case() {
        let codes = deepest();
        let known = |code: &TrapCode| [TrapCode::Deadline, TrapCode::StackOverflow].contains(code);
        assert!(codes.iter().all(known), "{codes:?}");
    }
    let name = "an_earlier_handler_has_a_stack_when_the_guest_has_none";
    check(name, alarm_without_stack, case, None, "survived");
}

#[test]
fn a_later_handler_without_a_stack_ends_the_call_not_the_process() {
    fn case() {
        alarm_without_stack();
        // The emulator keeps the signal blocked once it was lost, so one has to do.
        let codes = deepest();
        assert!(codes.contains(&TrapCode::SignalStack), "{codes:?}");
    }
    let name = "a_later_handler_without_a_stack_ends_the_call_not_the_process";
    check(name, || (), case, None, "survived");
}
