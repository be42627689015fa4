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

/// Allows this process `bytes` more of address space than it has now.
fn limit(bytes: u64) {
    let now = address_space();
    let limit = libc::rlimit { rlim_cur: now + bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is valid.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

// The only test of its process, since the limit is the whole process' one.
#[test]
fn instances_beyond_the_address_space_are_refused() {
    let image = support::load(r#"(module (memory 1) (func (export "f")))"#, &Imports::new());
    let pool = Pool::new(&image, &Default::default()).unwrap();
    drop(pool.instance().unwrap());
    pool.trim();
    let before = address_space();
    limit(16 << 30);
    for _ in 0..100 {
        let mut instances = Vec::new();
        let error = loop {
            match pool.instance() {
                Ok(instance) => instances.push(instance),
                Err(error) => break error,
            }
        };
        assert_eq!(instances.len(), 2);
        assert!(matches!(error, InstanceError::Map { .. }));
        assert!(error.to_string().contains("ulimit -v"), "{error}");
        drop(instances);
        pool.trim();
    }
    limit(1 << 40);
    assert!(address_space() <= before + (64 << 20));
    assert!(pool.instance().is_ok());
}
