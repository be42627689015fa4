//! What a store hands out, keeps and removes, whoever else is at it.

use lithify_compiler::{Options, Target, compile_image};
use lithify_runtime::abi::{cpu::X86_64_V3, machine::Machine};
use lithify_store::{Bounds, GetOrMakeError, Key, Store, StoreError};
use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

fn key(code: u8) -> Key {
    Key::runtime([code; 32], Machine::X86_64, X86_64_V3)
}

/// An image of the code with the hash of `key`.
fn image(code: u8) -> Vec<u8> {
    let wasm =
        wat::parse_str(r#"(module (func (export "f") (result i32) (i32.const 7)))"#).unwrap();
    let options =
        Options { target: Target::default(), code_hash: [code; 32], ..Options::default() };
    compile_image(&wasm, &options).unwrap()
}

fn store(bounds: Bounds) -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().join("images"), bounds).unwrap();
    (folder, store)
}

/// All files below a folder, the hidden ones too.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn used_ago(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn an_image_lies_where_its_key_says() {
    let (folder, store) = store(Bounds::default());
    assert_eq!(store.get(&key(1)).unwrap(), None);
    let path = store.put(&key(1), &image(1)).unwrap();
    let below = path.strip_prefix(folder.path().join("images")).unwrap().to_str().unwrap();
    let start = format!("{}/0.1.0-x86_64-unknown-linux-gnu-x86-64-v3-", "01".repeat(32));
    assert!(below.starts_with(&start) && below.ends_with(".so"), "{below}");
    assert_eq!(path, store.path(&key(1)));
    assert_eq!(fs::read(&path).unwrap(), image(1));
    assert_eq!(files(folder.path()), std::slice::from_ref(&path));
    used_ago(&path, 1000);
    assert_eq!(store.get(&key(1)).unwrap(), Some(path.clone()));
    let entries = store.clone().list().unwrap();
    assert_eq!((entries.len(), &entries[0].key, &entries[0].path), (1, &key(1), &path));
    assert!(entries[0].used.elapsed().unwrap() < Duration::from_secs(500), "it was just used");
}

#[test]
fn what_is_damaged_is_made_again() {
    let (folder, store) = store(Bounds::default());
    let path = store.path(&key(1));
    let good = image(1);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let longer = [&good[..], b"more"].concat();
    let cases: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("cut off", &good[..good.len() - 1]),
        ("longer", &longer),
        ("a bit", &flipped),
        ("other code", &image(2)),
        ("no image", b"\x7fELF and the like"),
    ];
    for (case, bytes) in cases {
        store.put(&key(1), &good).unwrap();
        fs::write(&path, bytes).unwrap();
        assert_eq!(store.get(&key(1)).unwrap(), None, "{case}");
        assert!(files(folder.path()).is_empty(), "{case}");
        fs::write(&path, bytes).unwrap();
        let made = store.get_or_make(&key(1), || Ok::<_, String>(good.clone())).unwrap();
        assert_eq!(fs::read(made).unwrap(), good, "{case}");
        let refused = store.put(&key(1), bytes).unwrap_err();
        assert!(matches!(refused, StoreError::NotTheImage { .. }), "{case}: {refused}");
        assert_eq!(fs::read(&path).unwrap(), good, "{case}: what was there stays");
    }
}

/// An image is looked into once, and again when the system says that the file changed.
#[test]
fn what_was_whole_is_remembered_until_it_changes() {
    let (folder, store) = store(Bounds::default());
    let path = store.put(&key(1), &image(1)).unwrap();
    let mark =
        path.with_file_name(format!(".{}.whole", path.file_name().unwrap().to_str().unwrap()));
    assert_eq!(store.get(&key(1)).unwrap(), Some(path.clone()));
    assert!(!mark.exists(), "what changed this moment may do so again");
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(store.get(&key(1)).unwrap(), Some(path.clone()));
    assert!(mark.exists());
    used_ago(&mark, 1000);
    assert_eq!(store.get(&key(1)).unwrap(), Some(path.clone()));
    assert!(store.list().unwrap()[0].used.elapsed().unwrap() < Duration::from_secs(500));

    // A bit, in place: neither length nor inode say so.
    let mut flipped = image(1);
    flipped[200] ^= 1;
    fs::write(&path, &flipped).unwrap();
    assert_eq!(store.get(&key(1)).unwrap(), None);
    assert!(files(folder.path()).is_empty());

    // Another file in its place, with the old mark.
    store.put(&key(1), &image(1)).unwrap();
    thread::sleep(Duration::from_millis(1100));
    store.get(&key(1)).unwrap();
    let kept = fs::read(&mark).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(store.collect().unwrap().leftovers, 1, "a mark without an image goes");
    store.put(&key(1), &image(1)).unwrap();
    fs::write(&mark, kept).unwrap();
    fs::write(&path, flipped).unwrap();
    assert_eq!(store.get(&key(1)).unwrap(), None);
}

#[test]
fn of_those_who_ask_one_makes_it() {
    let (folder, store) = store(Bounds::default());
    let (made, start) = (AtomicUsize::new(0), Barrier::new(8));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let make = || {
                    made.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(50));
                    Ok::<_, String>(image(1))
                };
                assert_eq!(store.get_or_make(&key(1), make).unwrap(), store.path(&key(1)));
            });
        }
    });
    assert_eq!(made.into_inner(), 1);
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn who_waited_makes_what_another_failed_to() {
    let (_folder, store) = store(Bounds::default());
    let (made, start) = (AtomicUsize::new(0), Barrier::new(4));
    let failures: usize = thread::scope(|scope| {
        let ask = || {
            start.wait();
            let make = || match made.fetch_add(1, Ordering::Relaxed) {
                3 => Ok(image(1)),
                n => Err(n),
            };
            match store.get_or_make(&key(1), make) {
                Err(GetOrMakeError::Make(_)) => 1,
                Err(error) => panic!("{error}"),
                Ok(_) => 0,
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((made.into_inner(), failures), (4, 3));
}

#[test]
fn an_image_that_cannot_be_kept_is_not_lost() {
    let (folder, store) = store(Bounds::default());
    // Nobody can write there, root included.
    fs::write(folder.path().join("images").join(key(1).folder()), "in the way").unwrap();
    let made = store.get_or_make(&key(1), || Ok::<_, String>(image(1)));
    let Err(GetOrMakeError::NotKept { image: made, error }) = made else { panic!("{made:?}") };
    assert_eq!(made, image(1));
    assert!(error.to_string().contains("cannot "), "{error}");
    let other = store.get_or_make(&key(2), || Ok::<_, String>(image(1)));
    let Err(GetOrMakeError::NotKept { error, .. }) = other else { panic!("{other:?}") };
    assert!(error.to_string().ends_with(&format!("made of the code {}", "01".repeat(32))));
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn the_least_recently_used_go_first() {
    let len = image(1).len() as u64;
    let (folder, store) = store(Bounds { max_bytes: 2 * len, ..Bounds::default() });
    for code in 1..=4 {
        store.put(&key(code), &image(code)).unwrap();
        used_ago(&store.path(&key(code)), 100 - u64::from(code));
    }
    store.get(&key(1)).unwrap();
    let collected = store.collect().unwrap();
    let keys = |entries: &[lithify_store::Entry]| -> Vec<Key> {
        entries.iter().map(|entry| entry.key.clone()).collect()
    };
    assert_eq!(keys(&collected.removed), [key(2), key(3)]);
    assert_eq!(keys(&collected.kept), [key(1), key(4)]);
    assert_eq!(store.list().unwrap(), collected.kept);
    assert_eq!(fs::read_dir(folder.path().join("images")).unwrap().count(), 2);
    assert!(store.collect().unwrap().removed.is_empty());
}

#[test]
fn what_nobody_uses_goes() {
    let (_folder, store) =
        store(Bounds { max_age: Duration::from_secs(1000), ..Bounds::default() });
    for (code, seconds) in [(1, 900), (2, 1100)] {
        store.put(&key(code), &image(code)).unwrap();
        used_ago(&store.path(&key(code)), seconds);
    }
    let collected = store.collect().unwrap();
    assert_eq!((collected.removed.len(), &collected.removed[0].key), (1, &key(2)));
    assert!(store.get(&key(1)).unwrap().is_some());
}

#[test]
fn what_dead_writers_left_goes_and_what_live_ones_write_stays() {
    let (folder, store) = store(Bounds { max_bytes: 0, ..Bounds::default() });
    let name = |end: &str| {
        let path = store.path(&key(1));
        path.with_file_name(format!(".{}{end}", path.file_name().unwrap().to_str().unwrap()))
    };
    let make = || {
        fs::write(name(".new"), "half").unwrap();
        let collected = store.collect().unwrap();
        assert_eq!((collected.leftovers, files(folder.path()).len()), (0, 2), "it is being made");
        Err("and never was")
    };
    store.get_or_make(&key(1), make).unwrap_err();
    fs::write(name(".lock"), "").unwrap();
    fs::write(folder.path().join("images/README"), "of somebody else").unwrap();
    assert_eq!(store.collect().unwrap().leftovers, 2);
    assert_eq!(files(folder.path()), [folder.path().join("images/README")]);
    // And the next writer begins anew.
    fs::create_dir(name("").parent().unwrap()).unwrap();
    fs::write(name(".new"), "half").unwrap();
    store.put(&key(1), &image(1)).unwrap();
    assert_eq!(fs::read(store.path(&key(1))).unwrap(), image(1));
    assert!(!name(".new").exists() && !name(".lock").exists());
}

#[test]
fn a_folder_of_everybodys_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("shared");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
    let refused = Store::open(&path, Bounds::default()).unwrap_err();
    assert!(refused.to_string().starts_with("everybody may write to "), "{refused}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o775)).unwrap();
    Store::open(&path, Bounds::default()).unwrap();
    fs::write(path.join("file"), "").unwrap();
    let refused = Store::open(path.join("file"), Bounds::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Folder { .. }), "{refused}");
}
