//! Which tools made a module, and which collector it carries: what it says itself, else what the
//! names of its functions give away, else nothing.

use lithify_compiler::Survey;
use lithify_polkadot::native::GC_CYCLES;

/// Functions that only one toolchain puts into a module.
const TELLTALES: &[(&str, &[&str])] = &[
    ("TinyGo", &["tinygo_", "runtime.initAll", "runtime.markRoots", "runtime.alloc"]),
    ("Go", &["wasm_pc_f_loop", "runtime.rt0_go", "runtime.gcBgMarkWorker"]),
    ("Rust", &["rust_begin_unwind", "__rust_alloc", "rust_panic", "__rdl_alloc"]),
    ("clang", &["__wasm_call_ctors"]),
];

/// Of TinyGo's block heap, which its conservative and its precise collector share.
const BLOCKS: &[&str] = &[
    "runtime.runGC",
    "runtime.sweep",
    "runtime.markRoot",
    "runtime.finishMark",
    "runtime.buildFreeRanges",
    "runtime.insertFreeRange",
];
/// Of the precise one alone.
const PRECISE: &[&str] = &["runtime.scanWithMask", "runtime.scanSimple", "runtime.scanComplex"];

/// The tools with their versions, and how that is known.
pub fn made_by(survey: &Survey) -> Vec<String> {
    let said: Vec<String> = (survey.producers.iter())
        .map(|(field, name, version)| format!("{field}: {name} {version}").trim_end().to_owned())
        .collect();
    if !said.is_empty() {
        return said;
    }
    let guess = TELLTALES.iter().find_map(|(tool, names)| {
        let name = names.iter().find_map(|name| named(survey, name))?;
        Some(format!("{tool}, as it has a function {name}; no producers section, so no version"))
    });
    let go = survey.custom_sections.iter().any(|name| name == "go:buildid");
    vec![guess.unwrap_or_else(|| {
        if go {
            "Go, as it has a section go:buildid; no producers section, so no version".into()
        } else {
            "unknown: no producers section, and no function name that tells".into()
        }
    })]
}

/// The garbage collector; `None` for what was not built from Go.
pub fn collector(survey: &Survey) -> Option<String> {
    let of = |tool: &str| {
        let said = survey.producers.iter().any(|(_, name, _)| name.starts_with(tool));
        let silent = survey.producers.is_empty();
        said || silent && made_by(survey).iter().any(|text| text.starts_with(tool))
    };
    let any = |names: &[&str]| names.iter().any(|name| has(survey, name));
    if of("TinyGo") {
        return Some(if any(&["GC_malloc", "GC_gcollect"]) {
            "boehm, by its functions".into()
        } else if any(PRECISE) && any(BLOCKS) {
            "precise, by its functions".into()
        } else if any(BLOCKS) {
            "conservative, or precise with its functions inlined: names do not tell".into()
        } else if survey.names.values().any(|name| name == GC_CYCLES) {
            "custom, as it counts its collections itself".into()
        } else if survey.names.is_empty() {
            "unknown: functions have no names".into()
        } else {
            "unknown: leaking, none or custom; no function of another collector is there".into()
        });
    }
    // There is one, in every program.
    of("Go").then(|| "Go's own: concurrent mark and sweep, on one thread here".into())
}

fn has(survey: &Survey, name: &str) -> bool {
    survey.names.values().any(|known| known == name)
}

/// A function whose name begins with `name`, where that ends in `_`, or is `name`.
fn named<'s>(survey: &'s Survey, name: &str) -> Option<&'s str> {
    let fits = |known: &&String| {
        if name.ends_with('_') { known.starts_with(name) } else { *known == name }
    };
    survey.names.values().find(fits).map(String::as_str)
}
