//! `lithify report`: one page that needs nothing else, made of samples alone, right in a browser.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use support::outcome::{Outcome, lithify, wat};

fn runtime(name: &str, rounds: u32) -> String {
    let text = format!(
        r#"(module (memory (export "memory") 20)
            (global (export "__heap_base") i32 (i32.const 65536))
            (func (export "Core_version") (param i32 i32) (result i64)
                (local.set 0 (i32.const {rounds}))
                (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (i64.const 0)))"#
    );
    wat(name, &text)
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for this test");
    folder
}

#[track_caller]
fn done(args: &[&str], status: i32) -> Outcome {
    let outcome = lithify(args);
    assert_eq!(outcome.status, status, "{args:?}: {}", outcome.said());
    outcome
}

/// The bytes that `%` and two digits stand for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("two digits");
                (u8::from_str_radix(digits, 16).expect("two digits"), tail)
            }
            (other, tail) => (*other, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn a_page_says_what_the_samples_say_and_needs_nothing_else() {
    let folder = folder("report");
    let name = |name: &str| folder.join(name).display().to_string();
    let (base, slow) = (runtime("page-base.wasm", 20_000), runtime("page-slow.wasm", 400_000));
    let samples = name("compare.jsonl");
    let few = ["--processes", "40", "--compiles", "0", "--seed", "1", "--json"];
    let compared = [&["compare", &base, &slow, "--samples", &samples][..], &few].concat();
    let compared = done(&compared, 1).stdout;
    let object: serde_json::Value = serde_json::from_str(compared.trim()).expect("one object");
    let page_file = name("compare.html");
    let said = done(&["report", &samples, "-o", &page_file], 0).stdout;
    assert!(said.ends_with("report/compare.html\n"), "{said}");
    let page = fs::read_to_string(&page_file).expect("written");

    let row = &object["rows"][0];
    let number = |name: &str| format!("{:.3}", row[name].as_f64().expect("a number"));
    let (ratio, low, high) = (number("ratio"), number("ratio_low"), number("ratio_high"));
    for part in [
        "<h1 class=\"sentence slower\">1 row is slower: Core_version, by ",
        "<td class=\"slower\">slower</td><td class=\"name\">Core_version</td>",
        &format!("<td class=\"slower\">{ratio}</td><td class=\"\">{low} to {high}</td>"),
        "data-kind=\"intervals\"",
        "data-kind=\"strips\"",
        "data-kind=\"order\"",
        "<dt>seed</dt><dd>1</dd>",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "no {part} in the page");
    }
    let processes = page.matches("<circle").count();
    let wanted = row["processes"].as_u64().expect("a number") as usize;
    assert!(processes >= 4 * wanted, "{processes} dots for {wanted} processes a side");
    for foreign in ["<script", "http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "the page has {foreign}");
    }

    // What it hands out makes it again.
    let data = between(&page, "href=\"data:application/x-ndjson,", "\"");
    let handed = name("handed.jsonl");
    fs::write(&handed, decoded(data)).expect("written");
    let again_file = name("again.html");
    done(&["report", &handed, "-o", &again_file], 0);
    let again = fs::read_to_string(&again_file).expect("written");
    let of_samples = |page: &str| between(page, "<main>", "<dt>samples</dt>").to_owned();
    let until_conditions = |page: &str| between(page, "<main>", "<h2>Conditions").to_owned();
    assert!(of_samples(&page).len() > 5_000);
    assert_eq!(until_conditions(&again), until_conditions(&page));

    in_a_browser(&folder, &page_file);
}

#[test]
fn engines_of_several_runs_are_on_one_page() {
    let folder = folder("engines");
    let name = |name: &str| folder.join(name).display().to_string();
    let module = runtime("page-engines.wasm", 2_000);
    let samples = name("bench.jsonl");
    let few = ["--processes", "2", "--compiles", "1", "--seed", "1", "--samples", &samples];
    let page_of_run = name("bench.html");
    let few = [&few[..], &["--page", &page_of_run]].concat();
    let said = lithify(&[&["bench", &module][..], &few].concat()).said();
    assert!(said.contains(&format!("the report is in {page_of_run}\n")), "{said}");
    let page_file = name("both.html");
    done(&["report", &samples, &samples, "-o", &page_file], 0);
    let page = fs::read_to_string(&page_file).expect("written");
    assert_eq!(page.matches("<section>").count(), 2);
    for kind in ["intervals", "strips", "scatter"] {
        assert!(page.contains(&format!("data-kind=\"{kind}\"")), "no {kind}");
    }
    assert!(page.contains("<td class=\"name\">wasmi interpreter</td>"), "every engine is there");
    let text = done(&["report", &samples, "--format", "text"], 0).stdout;
    assert!(text.contains("of 1 call lithify is not to be told from"), "{text}");
    let lines = text.lines().filter(|line| line.contains("Core_version  "));
    assert!(lines.into_iter().all(|line| line.len() <= 80), "{text}");
    done(&["report", "/nonexistent.jsonl", "-o", &page_file], 1);
    assert_eq!(fs::read_to_string(&page_file).expect("left alone"), page);
}

/// Who interrupts a run gets what there is of it, said to be a part; nothing else stays.
#[test]
fn an_interrupted_run_reports_what_there_is() {
    let folder = folder("interrupted");
    let output = interrupted(&folder, false);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("partial: the run was interrupted after "), "{said}");
    let page = fs::read_to_string(folder.join("part.html")).expect("written");
    assert!(page.contains("<p class=\"partial\">partial: the run was interrupted after "));
    let partial = folder.join("part.jsonl.partial").display().to_string();
    let again = lithify(&["report", &partial, "--format", "markdown"]).said();
    assert!(again.contains("**partial: the run was interrupted after "), "{again}");
}

/// Who does not even wait for that leaves nothing in the temporary folder either.
#[test]
fn interrupts_in_a_row_leave_no_artifacts() {
    interrupted(&folder("interrupts"), true);
}

/// A run in `folder` that is interrupted when it has samples, and again for as long as it is there if `again`.
fn interrupted(folder: &Path, again: bool) -> Output {
    let name = |name: &str| folder.join(name).display().to_string();
    let of = folder.file_name().expect("it has a name").display();
    let module = runtime(&format!("page-{of}.wasm"), 2_000);
    let temporary = folder.join("tmp");
    fs::create_dir(&temporary).expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lithify"))
        .args(["bench", &module, "--processes", "5000", "--compiles", "1"])
        .args(["--engines", "lithify,wasmi"])
        .args(["--samples", &name("part.jsonl"), "--save", &name("b")])
        .args(["--page", &name("part.html")])
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let partial = folder.join("part.jsonl.partial");
    let totals = || {
        let text = fs::read_to_string(&partial).unwrap_or_default();
        text.matches("\"phase\":\"total\"").count()
    };
    let started = Instant::now();
    while totals() < 500 {
        assert!(started.elapsed() < Duration::from_secs(120), "no sample comes");
        sleep(Duration::from_millis(50));
    }
    assert_ne!(fs::read_dir(&temporary).expect("a folder").count(), 0, "artifacts are there");
    loop {
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.expect("there is a kill").success());
        if !again || child.try_wait().expect("a child").is_some() {
            break;
        }
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0, "artifacts stayed");
    assert!(!folder.join("part.jsonl").exists(), "a part has no name of a whole");
    assert!(!folder.join("b.bench.jsonl").exists(), "a part is no baseline");
    output
}

/// A real browser shows the page without a complaint. The page forbids itself all that is not in it, so
/// a request would be one.
fn in_a_browser(folder: &Path, page: &str) {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let there = |name: &&&str| {
        let version = Command::new(name).arg("--version").stderr(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success())
    };
    let Some(browser) = browsers.iter().find(there) else {
        eprintln!(
            "skipped: there is no chromium to look at the page with (apt-get install chromium)"
        );
        return;
    };
    let look = |page: &str, args: &[String]| {
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--no-first-run"])
            .args(["--enable-logging=stderr", "--log-level=0"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .args(args)
            .arg(format!("file://{page}"))
            .output()
            .expect("the browser starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let complaints = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
        let complaints: Vec<String> = complaints.collect();
        (String::from_utf8_lossy(&output.stdout).into_owned(), complaints)
    };
    for width in [360, 800, 1400] {
        let screenshot = folder.join(format!("page-{width}.png"));
        let window = format!("--window-size={width},1600");
        let (_, complaints) =
            look(page, &[window, format!("--screenshot={}", screenshot.display())]);
        assert!(complaints.is_empty(), "at a width of {width}: {complaints:?}");
        let image = fs::read(&screenshot).expect("written by the browser");
        assert!(image.len() > 20_000, "{} bytes at a width of {width}", image.len());
    }
    let (dom, _) = look(page, &["--dump-dom".into()]);
    for part in ["data-kind=\"intervals\"", "<tbody>", "<h1 class=\"sentence"] {
        assert!(dom.contains(part), "no {part} in what the browser made of the page");
    }
    // The check would see a request.
    let curious = folder.join("curious.html");
    let text = fs::read_to_string(page).expect("it is there");
    let image = "<main><img alt=\"\" src=\"http://localhost:9/seen.png\">";
    fs::write(&curious, text.replace("<main>", image)).expect("written");
    let (_, complaints) = look(&curious.display().to_string(), &["--dump-dom".into()]);
    assert!(complaints.iter().any(|line| line.contains("seen.png")), "{complaints:?}");
    println!("screenshots are in {}", folder.display());
}
