//! The images that are kept: filled, listed, verified, collected, carried elsewhere and fetched, whoever
//! is killed or refused meanwhile.

mod support;

use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use support::{minisign::Signer, scratch, text};

const LITHIFY: &str = env!("CARGO_BIN_EXE_lithify");

/// A folder of one test's own, empty, with modules; the image of `in.wasm` is larger than 1 MiB.
fn folder(name: &str) -> PathBuf {
    let folder = scratch("cache").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let data = "\\01\\23\\45\\67\\89".repeat(220_000);
    let large =
        format!(r#"(module (memory 64) (data (i32.const 0) "{data}") (func (export "f")))"#);
    let small = r#"(module (func (export "f") (result i32) (i32.const 7)))"#;
    for (name, source) in [("in.wasm", &*large), ("small.wasm", small)] {
        fs::write(folder.join(name), wat::parse_str(source).unwrap()).unwrap();
    }
    folder
}

/// The command, which keeps images in `folder/c`.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(LITHIFY);
    command.current_dir(folder).args(args).env("LITHIFY_CACHE", "c").stdin(Stdio::null());
    command
}

fn lithify(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// It ends with `status`, and says all of `parts` and no word of a panic.
#[track_caller]
fn says(output: &Output, status: i32, parts: &[&str]) -> String {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(!said.contains("thread '"), "{said}");
    said
}

/// All files below a folder, in order; also the hidden ones, but for marks of what was found whole, which
/// come with time.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let is_mark = path.to_str().unwrap().contains(".so.whole");
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if is_mark => {}
            false => found.push(path),
        }
    }
    found.sort();
    found
}

fn flip_a_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn json(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_is_filled_listed_verified_and_collected() {
    let folder = folder("life");
    let fill = ["cache", "fill", "in.wasm", "none.wasm", "small.wasm", "--all-targets"];
    let said = says(&lithify(&folder, &fill), 1, &["cannot read none.wasm", "1 of 3 inputs gave"]);
    assert_eq!(said.matches(" compiled in ").count(), 4, "{said}");
    let kept = files(&folder.join("c"));
    assert_eq!(kept.len(), 4, "{kept:?}");

    let again = ["cache", "fill", "small.wasm", "in.wasm", "--all-targets", "--json"];
    let objects = json(&lithify(&folder, &again));
    assert!(objects.iter().all(|object| object["outcome"] == "present"), "{objects:?}");
    let paths = objects.iter().map(|o| folder.join(o["path"].as_str().unwrap()));
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    assert_eq!(paths, kept);

    let listed = json(&lithify(&folder, &["cache", "list", "--json"]));
    assert_eq!(listed.len(), 4);
    let image = |target: &str| {
        let found = listed.iter().find(|o| {
            let large = o["bytes"].as_u64().unwrap() > 1 << 20;
            large && o["target"].as_str().unwrap().starts_with(target)
        });
        folder.join(found.unwrap()["path"].as_str().unwrap())
    };
    says(
        &lithify(&folder, &["cache", "list"]),
        0,
        &["4 images, ", "aarch64-unknown-linux-gnu generic"],
    );

    // What is kept is what `compile` makes.
    let compile = ["compile", "in.wasm", "--target", "arm64", "-o", "arm.so"];
    says(&lithify(&folder, &compile), 0, &[]);
    assert!(fs::read(folder.join("arm.so")).unwrap() == fs::read(image("aarch64")).unwrap());

    let verify = ["cache", "verify", "in.wasm", "small.wasm"];
    let said = says(&lithify(&folder, &verify), 0, &[]);
    assert_eq!(said.matches(": reproduced by lithify ").count(), 4, "{said}");
    says(&lithify(&folder, &verify[..3]), 0, &["not looked at: 2 of other code"]);
    flip_a_byte(&image("aarch64"));
    let parts = ["not what lithify", "file hash", "1 of 4 images are something else"];
    says(&lithify(&folder, &verify), 1, &parts);
    // A whole image of the same code that is not what the compiler makes of it.
    fs::write(folder.join("other.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
    forge(&folder.join("other.wasm"), &folder.join("in.wasm"), &image("x86_64"));
    let parts = ["x86-64-v3: not what lithify", "differ from byte 0x", "2 of 4"];
    says(&lithify(&folder, &verify), 1, &parts);

    let said = says(&lithify(&folder, &["cache", "fill", "in.wasm", "--target", "arm64"]), 0, &[]);
    assert!(said.contains(" is not used: file hash") && said.contains("compiled in"), "{said}");
    fs::remove_file(image("x86_64")).unwrap();
    says(&lithify(&folder, &fill[..3]), 0, &["compiled in"]);
    says(&lithify(&folder, &verify), 0, &[]);

    says(&lithify(&folder, &["cache", "gc", "--max-size", "2M"]), 0, &["removed 0x", " are kept"]);
    // The one that was made last; what is small went before it, as it was used before.
    assert_eq!(files(&folder.join("c")), [image("x86_64")]);
    let gone = json(&lithify(&folder, &["cache", "gc", "--max-size", "1", "--json"]));
    assert_eq!((gone.len(), files(&folder.join("c")).len()), (1, 0), "{gone:?}");
    says(&lithify(&folder, &verify), 2, &["no image of these inputs is kept"]);
    says(&lithify(&folder, &["cache", "fill", "in.wasm", "--max-size", "1K"]), 0, &["1 image, "]);
    assert!(files(&folder.join("c")).is_empty());
}

/// Puts an image of `module` that says it was made of the code of `code` to `path`.
fn forge(module: &Path, code: &Path, path: &Path) {
    let code_hash = sp_crypto_hashing::blake2_256(&fs::read(code).unwrap());
    let options = lithify_compiler::Options { code_hash, ..Default::default() };
    let image = lithify_compiler::compile_image(&fs::read(module).unwrap(), &options).unwrap();
    fs::write(path, image).unwrap();
}

#[test]
fn commands_use_what_is_kept() {
    let folder = folder("run");
    let plain =
        |args: &[&str]| command(&folder, args).env_remove("LITHIFY_CACHE").output().unwrap();
    let run = ["run", "small.wasm", "--invoke", "f", "--time"];
    let compiled = |output: &Output| {
        says(output, 0, &["7"]);
        text(&output.stderr).contains("compile ")
    };
    assert!(compiled(&plain(&run)) && compiled(&plain(&run)));
    assert!(!folder.join("c").exists(), "nothing is kept unasked");
    assert!(compiled(&lithify(&folder, &run)) && !compiled(&lithify(&folder, &run)));
    let with_option = [&run[..], &["--cache=d"]].concat();
    assert!(compiled(&plain(&with_option)) && !compiled(&plain(&with_option)));
    // Other options, and another level of the CPU, are another image.
    let plainer = [&run[..], &["--inline", "off"]].concat();
    assert!(compiled(&lithify(&folder, &plainer)) && !compiled(&lithify(&folder, &plainer)));
    let level = [&run[..], &["--cpu", "x86-64-v2"]].concat();
    if cfg!(target_arch = "x86_64") {
        assert!(compiled(&lithify(&folder, &level)) && !compiled(&lithify(&folder, &level)));
    }
    // What fill makes is what run looks for, and the other way round.
    says(&lithify(&folder, &["cache", "fill", "small.wasm"]), 0, &["there already"]);
    let state = fs::canonicalize("workloads/ledger/genesis.json").unwrap();
    let state = state.to_str().unwrap();
    let build = ["build-block", "--state", state, "-o", "block.json"];
    says(&lithify(&folder, &build), 0, &[]);
    says(&lithify(&folder, &["cache", "fill", state]), 0, &["there already"]);
    let block = ["run", "block.json", "--time"];
    let output = lithify(&folder, &block);
    says(&output, 0, &["matches"]);
    assert!(!text(&output.stderr).contains("compile "));
    // Where nothing can be kept, it is said, and no obstacle.
    fs::write(folder.join("c/file"), "").unwrap();
    let nowhere = [&run[..], &["--cache=c/file"]].concat();
    says(&plain(&nowhere), 1, &["cannot keep images in c/file"]);
    for folder in fs::read_dir(folder.join("c")).unwrap() {
        let path = folder.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap();
            fs::write(&path, "in the way").unwrap();
        }
    }
    let output = lithify(&folder, &run);
    assert!(compiled(&output) && text(&output.stderr).contains("cannot "), "{output:?}");
}

#[test]
fn the_folder_is_that_of_an_option_of_the_environment_or_of_the_user() {
    let folder = folder("where");
    let home = folder.join("home");
    fs::create_dir(&home).unwrap();
    let list = |set: &[(&str, &str)], args: &[&str]| {
        let mut command = command(&folder, &[&["cache", "list"], args].concat());
        for name in ["LITHIFY_CACHE", "XDG_CACHE_HOME", "HOME"] {
            command.env_remove(name);
        }
        command.envs(set.iter().copied()).output().unwrap()
    };
    let home = home.to_str().unwrap();
    let xdg = format!("{home}/xdg");
    let all = [("LITHIFY_CACHE", "env"), ("XDG_CACHE_HOME", &*xdg), ("HOME", home)];
    says(&list(&all, &["--dir", "opt"]), 0, &["0 images, ", " in opt"]);
    says(&list(&all, &[]), 0, &[" in env"]);
    says(&list(&all[1..], &[]), 0, &[&format!(" in {home}/xdg/lithify")]);
    says(&list(&all[2..], &[]), 0, &[&format!(" in {home}/.cache/lithify")]);
    let relative = [("XDG_CACHE_HOME", "xdg"), ("HOME", home)];
    says(&list(&relative, &[]), 0, &[&format!(" in {home}/.cache/lithify")]);
    says(&list(&[], &[]), 2, &["give --dir, or set LITHIFY_CACHE"]);
    // Nobody named the one of the user, so it has to be the user's.
    if chown(format!("{home}/.cache/lithify"), Some(65534), None).is_ok() {
        says(&list(&all[2..], &[]), 1, &["belongs to user 65534", "name it (--dir"]);
        says(&list(&[], &["--dir", &format!("{home}/.cache/lithify")]), 0, &[]);
    } else {
        eprintln!("skipped, as it takes the right to give files away: a folder of another user's");
    }
    fs::set_permissions(folder.join("opt"), fs::Permissions::from_mode(0o777)).unwrap();
    says(&list(&[], &["--dir", "opt"]), 1, &["everybody may write to opt", "chmod o-w"]);
}

/// Two writers that are killed at any moment, again and again: under the name of an image there is
/// never anything but the image. Rounds by LITHIFY_KILLS.
#[test]
fn killed_writers_leave_the_image_or_none() {
    let folder = folder("kills");
    let fill = ["cache", "fill", "in.wasm", "small.wasm", "-q", "--all-targets"];
    let started = Instant::now();
    says(&lithify(&folder, &fill), 0, &[]);
    let whole = started.elapsed().as_secs_f64();
    let right: Vec<(PathBuf, Vec<u8>)> = (files(&folder.join("c")).into_iter())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    assert_eq!(right.len(), 4);
    let rounds = std::env::var("LITHIFY_KILLS").map_or(40, |rounds| rounds.parse().unwrap());
    let (mut seed, mut seen, mut left) = (0x2545_f491_u64, 0, 0);
    let mut chance = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / f64::from(1u32 << 31)
    };
    for round in 0..rounds {
        // What earlier writers left stays; images go, so that there is something to do.
        for (path, _) in &right {
            if chance() < 0.7 {
                let _ = fs::remove_file(path);
            }
        }
        let start = || command(&folder, &fill).spawn().unwrap();
        let mut writers = [start(), start()];
        for writer in &mut writers {
            thread::sleep(Duration::from_secs_f64(whole * chance() * 0.8));
            writer.kill().unwrap();
        }
        for mut writer in writers {
            writer.wait().unwrap();
        }
        for path in files(&folder.join("c")) {
            match right.iter().find(|(name, _)| *name == path) {
                Some((_, image)) => {
                    assert!(fs::read(&path).unwrap() == *image, "round {round}: {path:?}");
                    seen += 1;
                }
                None => {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    let ours = name.starts_with('.') && name.ends_with(".lock");
                    assert!(ours || name.ends_with(".new"), "round {round}: {name}");
                    left += 1;
                }
            }
        }
    }
    // Nobody waits for the dead, and nothing of theirs stays.
    says(&lithify(&folder, &fill), 0, &[]);
    says(&lithify(&folder, &["cache", "gc"]), 0, &[" are kept"]);
    let now = files(&folder.join("c"));
    assert_eq!(now, right.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>());
    says(&lithify(&folder, &["cache", "verify", "in.wasm", "small.wasm"]), 0, &[]);
    println!(
        "{rounds} rounds, 2 writers killed in each: {seen} images, all right; {left} leftovers"
    );
}

/// Runs a script that needs to be root; `None`, with a word, where we are not.
fn as_root(folder: &Path, script: &str) -> Option<Output> {
    let able = Command::new("unshare").args(["--mount", "true"]).output();
    if able.is_ok_and(|output| output.status.success()) {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script]).current_dir(folder);
        return Some(unshare.env("LITHIFY", LITHIFY).env("LITHIFY_CACHE", "c").output().unwrap());
    }
    eprintln!("skipped, as it takes the right to mount: {script}");
    None
}

#[test]
fn full_disks_and_folders_of_others_are_told_and_serve_what_they_have() {
    let folder = folder("refused");
    let script = "mkdir c; mount -t tmpfs -o size=640k,mode=755 none c; $LITHIFY cache fill in.wasm small.wasm \
                  -j 1; echo $?; find c -type f; $LITHIFY run in.wasm --invoke f; echo $?; \
                  $LITHIFY cache fill small.wasm";
    if let Some(output) = as_root(&folder, script) {
        let said = says(&output, 0, &["cannot keep the image c/", "make room", "small.wasm: x"]);
        let lines: Vec<&str> = text_lines(&output);
        assert_eq!(lines[..2], ["1", "0"], "no file is left, and running goes on: {said}");
    }
    says(&lithify(&folder, &["cache", "fill", "small.wasm", "--dir", "ro"]), 0, &[]);
    let script = "mount --bind ro ro && mount -o remount,ro,bind ro && export LITHIFY_CACHE=ro; \
                  $LITHIFY cache fill in.wasm; echo $?; $LITHIFY run small.wasm --invoke f --time; \
                  $LITHIFY run in.wasm --invoke f; echo $?";
    if let Some(output) = as_root(&folder, script) {
        let said = says(&output, 0, &["error: cannot write to ro; it has to belong", "Read-only"]);
        assert!(!said.contains("compile "), "what is there is used: {said}");
        assert_eq!(text_lines(&output), ["1", "7", "0"], "{said}");
    }
    let script = "mkdir other; mount -t tmpfs -o mode=755 none other; cp $LITHIFY *.wasm other; \
                  cp -r ro other/c; chown -R 1000 other/c; cd other; unset LITHIFY_CACHE; \
                  as='setpriv --reuid=65534 --regid=65534 --clear-groups ./lithify'; \
                  $as cache fill in.wasm --dir c; echo $?; $as run small.wasm --invoke f --time \
                  --cache=c; $as run in.wasm --invoke f --cache=c; echo $?";
    if let Some(output) = as_root(&folder, script) {
        let said = says(&output, 0, &["error: cannot write to c; it has to belong", "denied"]);
        assert!(!said.contains("compile "), "what is there is used: {said}");
        assert_eq!(text_lines(&output), ["1", "7", "0"], "{said}");
    }
}

fn text_lines(output: &Output) -> Vec<&str> {
    std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.contains(": "))
        .collect()
}

/// Signs an image as a file of its own name.
fn sign(signer: &Signer, image: &Path) {
    let name = image.file_name().unwrap().to_str().unwrap();
    let comment = format!("timestamp:1764000000\tfile:{name}\thashed");
    sign_as(signer, image, &comment);
}

fn sign_as(signer: &Signer, image: &Path, comment: &str) {
    let signature = signer.sign(&fs::read(image).unwrap(), comment);
    fs::write(signature_of(image), signature).unwrap();
}

fn signature_of(image: &Path) -> PathBuf {
    let mut path = image.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

#[test]
fn images_are_carried_as_files_and_taken_by_signature() {
    let folder = folder("carried");
    let (us, them) = (Signer::new(1), Signer::new(2));
    fs::write(folder.join("operator.pub"), us.public_key()).unwrap();
    says(&lithify(&folder, &["cache", "fill", "in.wasm", "small.wasm"]), 0, &[]);
    let export = ["cache", "export", "out"];
    let said = says(&lithify(&folder, &export), 0, &[]);
    assert_eq!(said.matches(": copied").count(), 2, "{said}");
    says(&lithify(&folder, &export), 0, &["there already"]);
    says(&lithify(&folder, &["cache", "export", "c"]), 2, &["c is where the images are"]);
    let images = files(&folder.join("out"));
    assert_eq!(images.len(), 2);
    let (one, other) = (&images[0], &images[1]);

    let import = ["cache", "import", "out", "--dir", "d", "--trust", "operator.pub"];
    says(&lithify(&folder, &import[..5]), 2, &["--trust KEYFILE names the key"]);
    says(&lithify(&folder, &import), 1, &["it has no signature", "2 of 2 images were refused"]);
    sign(&us, one);
    sign(&them, other);
    says(&lithify(&folder, &import), 1, &["signed by operator", "by none of the keys", "1 of 2"]);
    assert_eq!(files(&folder.join("d")).len(), 1);
    // Every way in which a signature can be another's.
    let name = other.file_name().unwrap().to_str().unwrap();
    sign_as(&us, other, "file:another.so");
    says(&lithify(&folder, &import), 1, &["it was signed as another.so"]);
    sign_as(&us, other, name);
    says(&lithify(&folder, &import), 1, &["does not say of which file"]);
    fs::copy(signature_of(one), signature_of(other)).unwrap();
    says(&lithify(&folder, &import), 1, &["its signature is not that of operator"]);
    fs::write(signature_of(other), "none").unwrap();
    says(&lithify(&folder, &import), 1, &["none of minisign's"]);
    // A signed image in another's place, and a damaged one that is signed so.
    let (code, mine) = (other.parent().unwrap(), one.parent().unwrap());
    let whole = fs::read(other).unwrap();
    fs::copy(one, other).unwrap();
    sign(&us, other);
    let hash = mine.file_name().unwrap().to_str().unwrap();
    says(&lithify(&folder, &import), 1, &["it was made of the code ", hash]);
    fs::write(other, &whole[..whole.len() - 1]).unwrap();
    sign(&us, other);
    says(&lithify(&folder, &import), 1, &["cannot keep the image d/", "file length"]);
    assert_eq!(files(&folder.join("d")).len(), 1, "{code:?}");
    fs::write(other, &whole).unwrap();
    sign(&us, other);
    let said = says(&lithify(&folder, &import), 0, &["signed by operator", "there already"]);
    assert!(!said.contains("refused"), "{said}");

    let unsigned = ["cache", "import", "out", "--dir", "e", "--unsigned", "--json"];
    let objects = json(&lithify(&folder, &unsigned));
    assert!(
        objects.len() == 2 && objects.iter().all(|o| o["outcome"] == "imported"),
        "{objects:?}"
    );
    fs::write(folder.join("no.pub"), "no key").unwrap();
    let args = ["cache", "import", "out", "--trust", "no.pub"];
    says(&lithify(&folder, &args), 1, &["no.pub is no public key of minisign"]);
    says(&lithify(&folder, &["cache", "import", "nowhere", "--unsigned"]), 1, &["it is no folder"]);
    assert!(!folder.join("nowhere").exists());
    let old = code.join(name.replace("0.1.0", "0.0.9"));
    fs::rename(other, &old).unwrap();
    let args = ["cache", "import", "out", "--dir", "f", "--unsigned"];
    says(&lithify(&folder, &args), 1, &["made by lithify 0.0.9, but this is 0.1.0"]);
    says(&lithify(&folder, &["cache", "list", "--dir", "out"]), 0, &["of lithify 0.0.9"]);
}

/// Serves the files of a folder, one request a connection, and says where. `scripts/remote` does the
/// same with nginx.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/images", listener.local_addr().unwrap());
    let folder = Arc::new(folder.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, folder) = (stream.unwrap(), Arc::clone(&folder));
            thread::spawn(move || {
                let (mut request, mut byte) = (Vec::new(), [0]);
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    request.push(byte[0]);
                }
                let request = text(&request);
                let path = request.split(' ').nth(1).unwrap().strip_prefix("/images/").unwrap();
                let (status, body) = match fs::read(folder.join(path)) {
                    _ if path.contains("broken") => ("500 Broken", vec![]),
                    Ok(body) => ("200 OK", body),
                    Err(_) => ("404 Not Found", vec![]),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            });
        }
    });
    url
}

#[test]
fn images_are_fetched_signed_or_reproduced() {
    let folder = folder("remote");
    let us = Signer::new(1);
    fs::write(folder.join("operator.pub"), us.public_key()).unwrap();
    fs::write(folder.join("other.pub"), Signer::new(2).public_key()).unwrap();
    says(&lithify(&folder, &["cache", "fill", "in.wasm", "--dir", "served"]), 0, &[]);
    let image = files(&folder.join("served")).remove(0);
    let whole = fs::read(&image).unwrap();
    let url = serve(&folder.join("served"));
    let fill = |more: &[&str]| {
        let _ = fs::remove_dir_all(folder.join("c"));
        lithify(&folder, &[&["cache", "fill", "in.wasm", "--remote", &url], more].concat())
    };
    let is_right = || {
        let kept = files(&folder.join("c"));
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert!(fs::read(&kept[0]).unwrap() == whole);
    };
    let (trust, reproduce) = (&["--trust", "operator.pub"][..], &["--reproduce"][..]);
    says(&fill(&[]), 2, &["--trust KEYFILE"]);
    says(&fill(trust), 0, &["has no signature", "compiled here", "compiled in"]);
    sign(&us, &image);
    says(&fill(trust), 0, &["fetched in ", ", signed by operator\n"]);
    is_right();
    let both = [trust, reproduce].concat();
    says(&fill(&both), 0, &[", signed by operator, reproduced by lithify 0.1.0 (cranelift "]);
    is_right();
    says(&fill(reproduce), 0, &["fetched in ", ", reproduced by lithify"]);
    let objects = json(&fill(&[&both[..], &["--json"]].concat()));
    assert_eq!(objects[0]["outcome"], "fetched");
    assert_eq!(objects[0]["signed_by"], "operator");
    assert!(objects[0]["reproduced_by"].as_str().unwrap().starts_with("lithify 0.1.0"));
    says(
        &fill(&["--trust", "other.pub"]),
        0,
        &["by none of the keys that are trusted", "compiled in"],
    );
    is_right();
    says(&fill(&["--trust", "other.pub", "--trust", "operator.pub"]), 0, &["signed by operator"]);

    // A mirror that lies.
    flip_a_byte(&image);
    says(&fill(trust), 0, &["its signature is not that of operator", "compiled in"]);
    is_right();
    says(&fill(reproduce), 0, &["file hash", "compiled in"]);
    is_right();
    // A signer who lies: what he signed runs where nobody makes it again.
    forge(&folder.join("small.wasm"), &folder.join("in.wasm"), &image);
    sign(&us, &image);
    says(&fill(reproduce), 0, &["what was fetched is not what lithify", "compiled in"]);
    is_right();
    says(&fill(&both), 1, &["signed by operator, but not what lithify", "differ from byte 0x"]);
    is_right();
    // An image of another level under this name.
    let args = ["compile", "in.wasm", "--cpu", "x86-64-v2", "-o", image.to_str().unwrap()];
    says(&lithify(&folder, &args), 0, &[]);
    sign(&us, &image);
    says(&fill(trust), 0, &["it is an image ", "x86-64-v2", "compiled in"]);
    is_right();
    fs::remove_file(&image).unwrap();
    let said = says(&fill(trust), 0, &["compiled in"]);
    assert!(!said.contains("compiled here"), "what is not there is no trouble: {said}");

    let at = |url: &str| {
        let _ = fs::remove_dir_all(folder.join("c"));
        lithify(&folder, &[&["cache", "fill", "in.wasm", "--remote", url], trust].concat())
    };
    says(&at(&format!("{url}/broken")), 0, &["cannot fetch", "500", "compiled in"]);
    says(&at("http://127.0.0.1:1/x"), 0, &["cannot fetch http://127.0.0.1:1/x/", "compiled in"]);
    says(&at("https://example.org"), 2, &["--remote takes http://"]);
    says(&lithify(&folder, &["cache", "fill", "in.wasm", "--reproduce"]), 2, &["--remote"]);
    says(&lithify(&folder, &["cache", "fill", "in.wasm", "--trust", "x"]), 2, &["--remote"]);
}

/// Two who fill the same at once make each image once.
#[test]
fn two_who_fill_make_each_image_once() {
    let folder = folder("two");
    let fill = ["cache", "fill", "in.wasm", "small.wasm", "--all-targets", "--json", "-j", "1"];
    let start = || command(&folder, &fill).stdout(Stdio::piped()).spawn().unwrap();
    let both: [Child; 2] = [start(), start()];
    let outputs = both.map(|child| child.wait_with_output().unwrap());
    let objects = outputs.map(|output| json(&output)).concat();
    let compiled = objects.iter().filter(|o| o["outcome"] == "compiled").count();
    assert_eq!((objects.len(), compiled), (8, 4), "{objects:?}");
    let inode = |path: &PathBuf| fs::metadata(path).unwrap().ino();
    let before: Vec<u64> = files(&folder.join("c")).iter().map(inode).collect();
    says(&lithify(&folder, &fill), 0, &[]);
    assert_eq!(files(&folder.join("c")).iter().map(inode).collect::<Vec<_>>(), before);
}
