//! Turns stacks into flame graphs as one SVG file, or into the lines that other tools draw them of.
//!
//! A frame is as wide as what it takes of a call, with what it calls on top of it. Of two sides it is as
//! wide as it is on the one where it takes more, so that what is gone is seen, too, and its colour says
//! what it takes more or less. The file needs no script and fetches nothing; the pointer shows a frame's
//! name and figures. (inferno draws such graphs, under a licence that is none of ours, and with a script.)

use super::plot::escape;
use crate::comparison::{Compared, Row};
use crate::functions::HOST;
use crate::phase::Phase;
use crate::sample::{Functions, Run};
use lithify_measure::figure::time;
use lithify_polkadot::functions;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of all, in its own units.
const WIDTH: f64 = 1200.0;
/// Height of a frame.
const ROW: f64 = 18.0;
/// Left and right of what is drawn.
const EDGE: f64 = 10.0;
/// What is narrower is left out.
const THIN: f64 = 0.3;
/// Width of a letter, at most.
const LETTER: f64 = 6.7;
/// A frame that takes so much more or less than before, as a share of the call, is in full colour.
const FULL: f64 = 0.05;

const STYLE: &str = "\
svg { color-scheme: light dark; background: #ffffff; }
text { font: 11px ui-monospace, monospace; fill: #1c2024; }
text.title { font: 600 14px system-ui, sans-serif; }
text.note { font: 12px system-ui, sans-serif; fill: #5b6570; }
rect { stroke: #ffffff; stroke-width: 0.5; }
.g0 { fill: #ffc38a; } .g1 { fill: #ffb068; } .g2 { fill: #ffd6a5; } .host { fill: #a9c9f2; }
.root { fill: #d5dbe1; } .even { fill: #e7eaee; }
.more1 { fill: #fbd9d5; } .more2 { fill: #f5a8a0; } .more3 { fill: #e8695d; }
.less1 { fill: #d3ecd9; } .less2 { fill: #98d4a8; } .less3 { fill: #4fae6a; }
@media (prefers-color-scheme: dark) {
  svg { background: #14181c; } rect { stroke: #14181c; }
  text.title { fill: #e6e9ed; } text.note { fill: #a3adb8; } }
";

/// The stacks of one call.
pub struct Flame {
    /// What it is of.
    pub title: String,
    /// The stacks, the outermost function first, with what a call takes in the innermost of them on the
    /// base and on the new side, in ns. Where there is one side, both figures are its.
    pub stacks: Vec<(Vec<String>, [f64; 2])>,
    /// Whether two sides are compared.
    pub is_difference: bool,
}

/// That of one call, whose shares are of `total_ns`.
pub fn of_call(found: &Functions, total_ns: f64) -> Flame {
    let ns = |count: u64| count as f64 / found.samples.max(1) as f64 * total_ns;
    let names = |stack: Vec<&str>| stack.into_iter().map(str::to_owned).collect();
    let stacks = found.named().map(|(stack, count)| (names(stack), [ns(count); 2]));
    Flame { title: found.call.clone(), stacks: stacks.collect(), is_difference: false }
}

/// Those of a comparison: of each call of which somebody looked at the callers, a change first.
pub fn of_comparison(run: &Run, compared: &Compared) -> Vec<Flame> {
    let names = [&compared.comparison.base, &compared.comparison.new];
    let mut rows: Vec<&Row> =
        compared.rows.iter().filter(|row| row.phase == Phase::Total).collect();
    rows.sort_by(|a, b| {
        let change = |row: &Row| row.ratio.ratio.ln().abs();
        let is_change = (b.verdict.is_change()).cmp(&a.verdict.is_change());
        is_change.then(change(b).total_cmp(&change(a)))
    });
    let flame = |row: &&Row| {
        let totals = [row.base, row.new];
        let mut stacks: BTreeMap<Vec<String>, [f64; 2]> = BTreeMap::new();
        for (side, name) in names.into_iter().enumerate() {
            let of_it = |found: &&Functions| {
                found.workload == *name && Some(&found.call) == row.call.as_ref()
            };
            let looked = run.functions.iter().filter(of_it);
            let samples: u64 = looked.clone().map(|found| found.samples).sum();
            for (stack, count) in looked.flat_map(Functions::named) {
                let stack = stack.into_iter().map(str::to_owned).collect();
                let share = count as f64 / samples.max(1) as f64;
                stacks.entry(stack).or_default()[side] += share * totals[side];
            }
        }
        let title = format!("{}: {} against {}", row.label(), names[1], names[0]);
        let stacks: Vec<_> = stacks.into_iter().collect();
        (!stacks.is_empty()).then_some(Flame { title, stacks, is_difference: true })
    };
    rows.iter().filter_map(flame).collect()
}

#[derive(Default)]
struct Node {
    own: [f64; 2],
    calls: BTreeMap<String, Node>,
}

impl Node {
    fn of(stacks: &[(Vec<String>, [f64; 2])]) -> Self {
        let mut root = Self::default();
        for (stack, ns) in stacks {
            let mut node = &mut root;
            for name in stack {
                node = node.calls.entry(name.clone()).or_default();
            }
            node.own.iter_mut().zip(ns).for_each(|(own, ns)| *own += ns);
        }
        root
    }

    /// What it takes with what it calls.
    fn all(&self) -> [f64; 2] {
        self.calls.values().map(Self::all).fold(self.own, |[a, b], [c, d]| [a + c, b + d])
    }

    fn width(&self) -> f64 {
        self.own[0].max(self.own[1]) + self.calls.values().map(Self::width).sum::<f64>()
    }

    fn depth(&self) -> usize {
        1 + self.calls.values().map(Self::depth).max().unwrap_or(0)
    }
}

/// The calls below each other, as an SVG file.
pub fn svg(flames: &[Flame]) -> String {
    let (mut body, mut top) = (String::new(), 0.0);
    for flame in flames {
        top += panel(&mut body, flame, top);
    }
    let titles: Vec<&str> = flames.iter().map(|flame| &*flame.title).collect();
    let title = escape(&titles.join("; "));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top:.0}\" width=\"{WIDTH}\" \
         height=\"{top:.0}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Draws a call below `top`, and returns its height.
fn panel(body: &mut String, flame: &Flame, top: f64) -> f64 {
    let root = Node::of(&flame.stacks);
    let [base, new] = root.all();
    let note = match flame.is_difference {
        true => format!(
            "{} -> {}; a frame is as wide as on the side where it takes more; red takes more than \
             before, green less",
            time(base),
            time(new)
        ),
        false => format!("{}; orange is the guest's, blue the host's", time(new)),
    };
    let mut text = |y: f64, class: &str, text: &str| {
        let (y, text) = (top + y, escape(text));
        let _ = writeln!(body, "<text x=\"{EDGE}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>");
    };
    text(22.0, "title", &flame.title);
    text(40.0, "note", &note);
    let bottom = top + 50.0 + ROW * root.depth() as f64;
    let width = root.width();
    if width > 0.0 {
        let mut drawn = Drawn {
            body,
            call: base.max(new),
            scale: (WIDTH - 2.0 * EDGE) / width,
            is_difference: flame.is_difference,
        };
        drawn.frame("all", &root, EDGE, bottom - ROW);
    }
    bottom + 14.0 - top
}

struct Drawn<'b> {
    body: &'b mut String,
    /// What the call takes, in ns.
    call: f64,
    /// Units for each ns.
    scale: f64,
    is_difference: bool,
}

impl Drawn<'_> {
    fn frame(&mut self, name: &str, node: &Node, x: f64, y: f64) {
        let width = node.width() * self.scale;
        if width < THIN {
            return;
        }
        let [base, new] = node.all();
        let percent = |ns: f64| ns / self.call * 100.0;
        let figures = match self.is_difference {
            true => format!("{} -> {} ({:+.2} %)", time(base), time(new), percent(new - base)),
            false => format!("{}, {:.2} %", time(new), percent(new)),
        };
        let (class, title) = (self.class(name, node), escape(&format!("{name}: {figures}")));
        let _ = write!(
            self.body,
            "<g><title>{title}</title><rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" \
             height=\"{ROW}\" class=\"{class}\"/>"
        );
        let letters = ((width - 6.0) / LETTER) as usize;
        if letters >= 3 {
            let label = escape(&cut(name, letters));
            let (x, y) = (x + 3.0, y + 13.0);
            let _ = write!(self.body, "<text x=\"{x:.2}\" y=\"{y:.1}\">{label}</text>");
        }
        self.body.push_str("</g>\n");
        let mut x = x;
        for (name, call) in &node.calls {
            self.frame(name, call, x, y - ROW);
            x += call.width() * self.scale;
        }
    }

    fn class(&self, name: &str, node: &Node) -> String {
        if self.is_difference {
            let [base, new] = node.all();
            let share = (new - base) / self.call;
            // A twentieth of full colour is noise of the sampler.
            let depth = (share.abs() / FULL * 3.0).ceil().min(3.0);
            return match share {
                share if share.abs() < FULL / 20.0 => "even".into(),
                0.0.. => format!("more{depth}"),
                _ => format!("less{depth}"),
            };
        }
        let is_host = |name: &str| functions().iter().any(|function| function.name() == name);
        match name {
            "all" => "root".into(),
            name if node.calls.is_empty() && (name == HOST || is_host(name)) => "host".into(),
            // Neighbours are told apart, and a name has one colour.
            name => format!("g{}", name.bytes().fold(0u32, |sum, byte| sum + u32::from(byte)) % 3),
        }
    }
}

/// The beginning of a name of at most so many letters.
fn cut(name: &str, letters: usize) -> String {
    match name.char_indices().nth(letters) {
        None => name.to_owned(),
        Some(_) => name.chars().take(letters - 1).chain(['…']).collect(),
    }
}

/// A line for each stack, as `flamegraph.pl`, inferno and speedscope read it: the functions, separated by
/// semicolons, and what they take of a call in ns; of a comparison the figures of both sides.
pub fn folded(flames: &[Flame]) -> String {
    let mut text = String::new();
    for Flame { title, stacks, is_difference } in flames {
        for (stack, [base, new]) in stacks {
            let frames = std::iter::once(title).chain(stack);
            let frames: Vec<String> = frames.map(|frame| one_field(frame)).collect();
            let frames = frames.join(";");
            let _ = match is_difference {
                true => writeln!(text, "{frames} {base:.0} {new:.0}"),
                false => writeln!(text, "{frames} {new:.0}"),
            };
        }
    }
    text
}

/// A name that ends neither its field nor its line.
fn one_field(name: &str) -> String {
    name.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(frames: &[&str], ns: [f64; 2]) -> (Vec<String>, [f64; 2]) {
        (frames.iter().map(|frame| (*frame).to_owned()).collect(), ns)
    }

    fn flame(is_difference: bool, stacks: Vec<(Vec<String>, [f64; 2])>) -> Flame {
        Flame { title: "Core_version".into(), stacks, is_difference }
    }

    /// The widths of the frames of that name.
    fn widths(svg: &str, name: &str) -> Vec<f64> {
        let frames = svg.lines().filter(|line| line.starts_with(&format!("<g><title>{name}: ")));
        let width = |line: &str| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok();
        frames.filter_map(width).collect()
    }

    #[test]
    fn a_frame_is_as_wide_as_what_it_takes() {
        let stacks = vec![
            stack(&["a"], [1e3; 2]),
            stack(&["a", "b"], [2e3; 2]),
            stack(&["a", "ext_storage_get_version_1"], [1e3; 2]),
            stack(&[HOST], [4e3; 2]),
        ];
        let svg = svg(&[flame(false, stacks)]);
        let all = WIDTH - 2.0 * EDGE;
        for (name, share) in [("all", 1.0), ("a", 0.5), ("b", 0.25), ("(host)", 0.5)] {
            let widths = widths(&svg, name);
            assert_eq!(widths.len(), 1, "{name} in {svg}");
            assert!((widths[0] / all - share).abs() < 1e-3, "{name}: {widths:?}");
        }
        assert!(svg.contains("ext_storage_get_version_1: 1.00 us, 12.50 %"), "{svg}");
        assert_eq!(svg.matches("class=\"host\"").count(), 2, "{svg}");
        assert!(!svg.contains("<script") && !svg.contains("href"));
    }

    #[test]
    fn a_difference_shows_what_is_gone_and_what_is_new() {
        let stacks = vec![
            stack(&["kept"], [1e6, 1e6]),
            stack(&["gone"], [5e5, 0.0]),
            stack(&["new"], [0.0, 1e6]),
        ];
        let svg = svg(&[flame(true, stacks)]);
        for (name, class) in [("kept", "even"), ("gone", "less3"), ("new", "more3")] {
            let line = svg.lines().find(|line| line.starts_with(&format!("<g><title>{name}: ")));
            let line = line.unwrap_or_else(|| panic!("no {name} in {svg}"));
            assert!(line.contains(&format!("class=\"{class}\"")), "{line}");
        }
        assert!(svg.contains("1.50 ms -&gt; 2.00 ms"), "{svg}");
        let [kept, new] = ["kept", "new"].map(|name| widths(&svg, name)[0]);
        assert!((kept / new - 1.0).abs() < 1e-3);
    }

    #[test]
    fn names_are_neither_markup_nor_lines() {
        let name = "<script>;\n x";
        let flames = [flame(false, vec![stack(&[name], [1e3; 2])])];
        assert!(!svg(&flames).contains("<script"));
        assert_eq!(folded(&flames), "Core_version;<script>__ x 1000\n");
        let flames = [flame(true, vec![stack(&["a", "b"], [1.0, 2.0])])];
        assert_eq!(folded(&flames), "Core_version;a;b 1 2\n");
        assert_eq!(cut("a_long_name", 6), "a_lon…");
        assert_eq!(cut("short", 5), "short");
    }
}
