//! When the system gives no more address space an instance is refused with the reason, and nothing
//! is lost by trying.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod support;

use lithify_runtime::{Imports, InstanceError, Pool};

/// Size of this process' address space, in bytes.
fn address_space() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

/// Allows this process `bytes` more of address space than it has now. Is that what holds then?
fn limit(bytes: u64) -> bool {
    let now = address_space();
    let limit = libc::rlimit { rlim_cur: now + bytes, rlim_max: libc::RLIM_INFINITY };
    let mut set = limit;
    // SAFETY: the structures are valid.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_AS, &raw const limit), 0);
        assert_eq!(libc::getrlimit(libc::RLIMIT_AS, &raw mut set), 0);
    }
    set.rlim_cur == limit.rlim_cur
}

// The only test of its process, since the limit is the whole process' one.
#[test]
fn instances_beyond_the_address_space_are_refused() {
    let image = support::load(r#"(module (memory 1) (func (export "f")))"#, &Imports::new());
    let pool = Pool::new(&image, &Default::default()).unwrap();
    drop(pool.instance().unwrap());
    pool.trim();
    let before = address_space();
    // qemu-user ignores the limit, and comes to the end of what it reserved: after a while, and
    // not always after as many. What it takes itself is counted, too.
    let limited = limit(16 << 30);
    let (rounds, most) = if limited { (100, 2..3) } else { (3, 2..100) };
    for _ in 0..rounds {
        let mut instances = Vec::new();
        let error = loop {
            match pool.instance() {
                Ok(instance) => instances.push(instance),
                Err(error) => break error,
            }
        };
        assert!(most.contains(&instances.len()), "{} instances", instances.len());
        assert!(matches!(error, InstanceError::Map { .. }));
        assert!(error.to_string().contains("ulimit -v"), "{error}");
        drop(instances);
        pool.trim();
    }
    limit(1 << 40);
    assert!(!limited || address_space() <= before + (64 << 20));
    assert!(pool.instance().is_ok());
}
