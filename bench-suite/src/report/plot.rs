//! Plots as inline SVG, without a colour of their own: classes give them one, so that the same plot is
//! right on a light page, on a dark one and on paper. (A plotting crate would write its colours down.)

use crate::stats::change_points::Part;
use lithify_abi::plain::is_plain;
use std::fmt::Write;

/// Width of every plot, in its own units.
const WIDTH: f64 = 560.0;
/// Where the labels of rows end.
const LEFT: f64 = 176.0;
/// Where the data end.
const RIGHT: f64 = WIDTH - 20.0;
/// Height of a row.
const ROW: f64 = 26.0;
/// Height of a label, in the letters of a phone.
const LABEL: f64 = 16.0;
/// Width of a number at an axis, in them.
const TICK: f64 = 56.0;
/// Room for the labels of lines and points, behind them.
const LABELS: f64 = 176.0;

/// How values are shown.
pub type Show = fn(f64) -> String;

/// A scale from values to places, logarithmic where they spread.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    is_log: bool,
}

/// Whether values spread so far that their logarithms show more.
fn is_wide(values: impl Iterator<Item = f64> + Clone) -> bool {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    low > 0.0 && values.fold(f64::NEG_INFINITY, f64::max) / low > 4.0
}

impl Scale {
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let is_log = is_wide(values.clone());
        Self::of(values, from, to, is_log)
    }

    fn of(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64, is_log: bool) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let room =
            if is_log { (high / low).powf(0.04) } else { (high - low).max(high * 0.01) * 0.04 };
        let (low, high) =
            if is_log { (low / room, high * room) } else { (low - room, high + room) };
        Self { low, high, from, to, is_log }
    }

    /// One that is not logarithmic and begins at 0.
    fn from_0(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let high = values.fold(f64::MIN_POSITIVE, f64::max);
        Self { low: 0.0, high: high * 1.04, from, to, is_log: false }
    }

    fn at(&self, value: f64) -> f64 {
        let share = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values to mark, from two to about seven.
    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let ticks = |of: &[f64]| -> Vec<f64> {
                let all =
                    decades.clone().flat_map(|ten| of.iter().map(move |n| n * 10f64.powi(ten)));
                all.filter(|v| (self.low..=self.high).contains(v)).collect()
            };
            let some = [&[1.0, 2.0, 5.0][..], &[1.0, 3.0]].into_iter().map(&ticks);
            return some.into_iter().find(|some| some.len() <= 7).unwrap_or_else(|| {
                let tens = ticks(&[1.0]);
                let step = tens.len().div_ceil(7).max(1);
                tens.into_iter().step_by(step).collect()
            });
        }
        let rough = (self.high - self.low) / 4.0;
        let ten = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * ten).into_iter().find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil();
        (0..20).map(|n| (first + f64::from(n)) * step).take_while(|v| *v <= self.high).collect()
    }
}

/// Text that is no markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // Nothing that turns the direction of text, either.
            c if !is_plain(c) => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

struct Svg {
    body: String,
    height: f64,
}

impl Svg {
    fn new(height: f64) -> Self {
        Self { body: String::new(), height }
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        let _ = write!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        );
    }

    fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], class: &str) {
        let _ = write!(
            self.body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        );
    }

    fn dot(&mut self, x: f64, y: f64, radius: f64, class: &str) {
        let _ = write!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" class=\"{class}\"/>"
        );
    }

    /// Labels behind things, each on a line of its own; one that had to move away has a line to its thing.
    fn beside(&mut self, labels: &[(f64, f64, &str)], bottom: f64) {
        let wanted: Vec<f64> = labels.iter().map(|(_, y, _)| *y).collect();
        let places = apart(&wanted, LABEL, 14.0, bottom);
        for ((x, y, label), place) in labels.iter().zip(places) {
            if (place - y).abs() > 3.0 {
                self.line([x + 4.0, *y, x + 12.0, place], "grid");
            }
            self.text(x + 14.0, place + 4.0, "start", "label", label);
        }
    }

    fn rect(&mut self, [x, y, width, height]: [f64; 4], class: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = write!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             class=\"{class}\"/>"
        );
    }

    /// Marks along the lower edge of what lies between `top` and `bottom`.
    fn below(&mut self, scale: &Scale, top: f64, bottom: f64, show: Show) {
        let mut last = f64::NEG_INFINITY;
        for tick in scale.ticks() {
            let x = scale.at(tick);
            self.line([x, top, x, bottom], "grid");
            if x - last >= TICK {
                self.text(x, bottom + 16.0, "middle", "tick", &show(tick));
                last = x;
            }
        }
    }

    fn finish(self, kind: &str, title: &str) -> String {
        let title = escape(title);
        format!(
            "<figure class=\"plot\" data-kind=\"{kind}\"><figcaption>{title}</figcaption><svg \
             viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{title}\">{}</svg></figure>\n",
            self.height, self.body
        )
    }
}

/// Places that are `gap` apart and as near to those wanted as that allows, from `low` to `high`.
fn apart(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = wanted.to_vec();
    let mut next = low;
    for at in &order {
        places[*at] = places[*at].max(next);
        next = places[*at] + gap;
    }
    let mut last = high;
    for at in order.iter().rev() {
        places[*at] = places[*at].min(last);
        last = places[*at] - gap;
    }
    places
}

/// A row of [`intervals`].
pub struct Interval {
    /// What it is of.
    pub label: String,
    /// Lower end, value, upper end.
    pub values: [f64; 3],
    /// The class of its verdict.
    pub class: &'static str,
    /// How far it may differ from 1 and still be the same.
    pub floor: f64,
}

/// Ratios with their intervals, around 1.
pub fn intervals(title: &str, rows: &[Interval]) -> String {
    let bottom = 10.0 + ROW * rows.len() as f64;
    let mut svg = Svg::new(bottom + 26.0);
    let all = rows
        .iter()
        .flat_map(|row| row.values.into_iter().chain([1.0 / (1.0 + row.floor), 1.0 + row.floor]));
    let scale = Scale::new(all, LEFT, RIGHT);
    svg.below(&scale, 6.0, bottom, |ratio| format!("{ratio:.3}"));
    for (n, row) in rows.iter().enumerate() {
        let y = 10.0 + ROW * (n as f64 + 0.5);
        let [from, to] = [1.0 / (1.0 + row.floor), 1.0 + row.floor].map(|end| scale.at(end));
        svg.rect([from, y - ROW / 2.0, to - from, ROW], "floor");
        svg.text(LEFT - 10.0, y + 4.0, "end", "label", &row.label);
        let [low, value, high] = row.values.map(|value| scale.at(value));
        svg.line([low, y, high, y], row.class);
        svg.dot(value, y, 4.5, row.class);
    }
    let one = scale.at(1.0);
    svg.line([one, 4.0, one, bottom], "one");
    svg.finish("intervals", title)
}

/// A row of [`strips`].
pub struct Strip {
    /// Whose numbers they are.
    pub label: String,
    /// One for each process.
    pub numbers: Vec<f64>,
    /// The number that stands for them.
    pub mark: f64,
    /// A class of colour.
    pub class: String,
}

/// Every process as a dot, and the number that stands for the row as a bar.
pub fn strips(title: &str, rows: &[Strip], show: Show) -> String {
    const TALL: f64 = 34.0;
    let bottom = 10.0 + TALL * rows.len() as f64;
    let mut svg = Svg::new(bottom + 26.0);
    let scale = Scale::new(rows.iter().flat_map(|row| row.numbers.iter().copied()), LEFT, RIGHT);
    svg.below(&scale, 6.0, bottom, show);
    for (n, row) in rows.iter().enumerate() {
        let y = 10.0 + TALL * (n as f64 + 0.5);
        svg.text(LEFT - 10.0, y + 4.0, "end", "label", &row.label);
        for (place, number) in row.numbers.iter().enumerate() {
            // Spread by the golden ratio, so that neighbours do not hide each other.
            let spread = (place as f64 * 0.618_034).fract() - 0.5;
            svg.dot(scale.at(*number), y + spread * TALL * 0.7, 2.0, &format!("dot {}", row.class));
        }
        let x = scale.at(row.mark);
        svg.line([x, y - TALL * 0.45, x, y + TALL * 0.45], &format!("mark {}", row.class));
    }
    svg.finish("strips", title)
}

/// A point of [`scatter`].
pub struct Point {
    /// What it is.
    pub label: String,
    /// To the right.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// A class of colour.
    pub class: String,
}

/// Points in the plane of two figures.
pub fn scatter(title: &str, axes: [&str; 2], points: &[Point], show: [Show; 2]) -> String {
    const BOTTOM: f64 = 280.0;
    const ENDS: f64 = RIGHT - LABELS;
    let mut svg = Svg::new(BOTTOM + 44.0);
    let x = Scale::new(points.iter().map(|point| point.x), 64.0, ENDS);
    let y = Scale::new(points.iter().map(|point| point.y), BOTTOM, 20.0);
    svg.below(&x, 14.0, BOTTOM, show[0]);
    for tick in y.ticks() {
        let at = y.at(tick);
        svg.line([64.0, at, ENDS, at], "grid");
        svg.text(58.0, at + 4.0, "end", "tick", &show[1](tick));
    }
    let places: Vec<(f64, f64, &str)> =
        points.iter().map(|point| (x.at(point.x), y.at(point.y), &*point.label)).collect();
    for ((across, up, _), point) in places.iter().zip(points) {
        svg.dot(*across, *up, 5.0, &point.class);
    }
    svg.beside(&places, BOTTOM);
    svg.text((64.0 + ENDS) / 2.0, BOTTOM + 36.0, "middle", "tick", axes[0]);
    svg.text(64.0, 10.0, "start", "tick", axes[1]);
    svg.finish("scatter", title)
}

/// Numbers in the order in which their processes ran: what the machine did meanwhile.
pub fn order(title: &str, points: &[(u32, f64, String)], show: Show) -> String {
    const BOTTOM: f64 = 200.0;
    let mut svg = Svg::new(BOTTOM + 36.0);
    let x = Scale {
        low: 0.0,
        high: points.iter().map(|(process, ..)| f64::from(*process)).fold(1.0, f64::max),
        from: 64.0,
        to: RIGHT,
        is_log: false,
    };
    let y = Scale::new(points.iter().map(|(_, number, _)| *number), BOTTOM, 14.0);
    svg.below(&x, 10.0, BOTTOM, |process| format!("{process:.0}"));
    for tick in y.ticks() {
        let at = y.at(tick);
        svg.line([64.0, at, RIGHT, at], "grid");
        svg.text(58.0, at + 4.0, "end", "tick", &show(tick));
    }
    for (process, number, class) in points {
        svg.dot(x.at(f64::from(*process)), y.at(*number), 2.0, &format!("dot {class}"));
    }
    svg.text((64.0 + RIGHT) / 2.0, BOTTOM + 32.0, "middle", "tick", "process");
    svg.finish("order", title)
}

/// A line of [`lines`].
pub struct Line {
    /// Whose it is.
    pub label: String,
    /// Places and figures, by place.
    pub points: Vec<(f64, f64)>,
    /// A class of colour.
    pub class: String,
}

/// Figures over what they grow with. Both axes are of one kind, so that what grows evenly is straight.
pub fn lines(title: &str, axes: [&str; 2], rows: &[Line], show: [Show; 2]) -> String {
    const TOP: f64 = 20.0;
    const BOTTOM: f64 = 280.0;
    const ENDS: f64 = RIGHT - LABELS;
    let mut svg = Svg::new(BOTTOM + 44.0);
    let points = || rows.iter().flat_map(|row| row.points.iter().copied());
    let (across, up) = (points().map(|(x, _)| x), points().map(|(_, y)| y));
    let is_log = is_wide(across.clone()) && is_wide(up.clone());
    let x = Scale::of(across, 64.0, ENDS, is_log);
    // Where the axes are even, what is fixed shows as how far above 0 a line begins.
    let y = if is_log { Scale::of(up, BOTTOM, TOP, true) } else { Scale::from_0(up, BOTTOM, TOP) };
    svg.below(&x, TOP - 4.0, BOTTOM, show[0]);
    for tick in y.ticks() {
        let at = y.at(tick);
        svg.line([64.0, at, ENDS, at], "grid");
        let shown = if tick == 0.0 { "0".to_owned() } else { show[1](tick) };
        svg.text(58.0, at + 4.0, "end", "tick", &shown);
    }
    let mut ends = Vec::new();
    for Line { label, points, class } in rows {
        let places: Vec<[f64; 2]> = points.iter().map(|(a, b)| [x.at(*a), y.at(*b)]).collect();
        for ends in places.windows(2) {
            svg.line([ends[0][0], ends[0][1], ends[1][0], ends[1][1]], class);
        }
        places.iter().for_each(|[x, y]| svg.dot(*x, *y, 3.0, class));
        ends.extend(places.last().map(|[x, y]| (*x, *y, &**label)));
    }
    svg.beside(&ends, BOTTOM);
    svg.text((64.0 + ENDS) / 2.0, BOTTOM + 36.0, "middle", "tick", axes[0]);
    svg.text(64.0, 10.0, "start", "tick", axes[1]);
    svg.finish("lines", title)
}

/// A figure over runs, with the median of each part within which nothing changed, and a mark where one
/// begins. Parts are ranges of places in `points`.
pub fn trend(title: &str, points: &[(usize, f64)], parts: &[Part], show: Show) -> String {
    const BOTTOM: f64 = 160.0;
    let mut svg = Svg::new(BOTTOM + 36.0);
    let last = points.iter().map(|(run, _)| *run as f64).fold(1.0, f64::max);
    let x = Scale { low: 0.0, high: last, from: 64.0, to: RIGHT, is_log: false };
    let y = Scale::new(points.iter().map(|(_, figure)| *figure), BOTTOM, 14.0);
    svg.below(&x, 10.0, BOTTOM, |run| format!("{run:.0}"));
    for tick in y.ticks() {
        let at = y.at(tick);
        svg.line([64.0, at, RIGHT, at], "grid");
        svg.text(58.0, at + 4.0, "end", "tick", &show(tick));
    }
    for (run, figure) in points {
        svg.dot(x.at(*run as f64), y.at(*figure), 2.5, "dot c0");
    }
    for (n, part) in parts.iter().enumerate() {
        let ends = [part.start, part.end - 1].map(|place| x.at(points[place].0 as f64));
        let at = y.at(part.median);
        svg.line([ends[0], at, ends[1], at], "mark c0");
        if let Some(before) = n.checked_sub(1).map(|before| parts[before].median) {
            let class = if part.median > before { "slower" } else { "faster" };
            svg.line([ends[0], 10.0, ends[0], BOTTOM], class);
            let change = format!("{:+.1} %", (part.median / before - 1.0) * 100.0);
            svg.text(ends[0] + 4.0, 12.0, "start", "label", &change);
        }
    }
    svg.text((64.0 + RIGHT) / 2.0, BOTTOM + 32.0, "middle", "tick", "run");
    svg.finish("trend", title)
}

/// A row of [`bars`].
pub struct Bar {
    /// What it is.
    pub label: String,
    /// How long the bar is.
    pub value: f64,
}

/// Bars from zero, each with its value.
pub fn bars(title: &str, rows: &[Bar], show: Show) -> String {
    let bottom = 6.0 + ROW * rows.len() as f64;
    let mut svg = Svg::new(bottom + 6.0);
    let most = rows.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    for (n, Bar { label, value }) in rows.iter().enumerate() {
        let y = 6.0 + ROW * n as f64;
        let width = value / most * (RIGHT - LEFT - 80.0);
        svg.text(LEFT - 10.0, y + ROW * 0.62, "end", "label", label);
        svg.rect([LEFT, y + 4.0, width, ROW - 8.0], "c0");
        svg.text(LEFT + width + 6.0, y + ROW * 0.62, "start", "tick", &show(*value));
    }
    svg.finish("bars", title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_keeps_the_order_and_marks_what_is_in_it() {
        for values in [vec![1.0, 1.01, 1.2], vec![3.0, 40.0, 90_000.0], vec![5.0, 5.0]] {
            let scale = Scale::new(values.iter().copied(), 100.0, 500.0);
            let places: Vec<f64> = values.iter().map(|value| scale.at(*value)).collect();
            assert!(places.is_sorted(), "{places:?}");
            assert!(places.iter().all(|place| (100.0..=500.0).contains(place)), "{places:?}");
            let ticks = scale.ticks();
            assert!((1..=9).contains(&ticks.len()), "{values:?}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (scale.low..=scale.high).contains(tick)));
        }
    }

    #[test]
    fn labels_do_not_hide_each_other() {
        for wanted in [vec![50.0, 50.0, 51.0, 49.0], vec![0.0, 1.0, 99.0, 100.0], vec![]] {
            let places = apart(&wanted, 16.0, 10.0, 100.0);
            assert!(places.iter().all(|place| (10.0..=100.0).contains(place)), "{places:?}");
            for (at, place) in places.iter().enumerate() {
                let others = places[..at].iter().map(|other| (other - place).abs());
                assert!(others.fold(f64::MAX, f64::min) >= 16.0 - 1e-9, "{places:?}");
            }
        }
        assert_eq!(apart(&[20.0, 60.0], 16.0, 10.0, 100.0), [20.0, 60.0], "what has room stays");
    }

    #[test]
    fn names_are_no_markup() {
        let name = "<script>'\"&\u{7}";
        let rows = [Bar { label: name.to_owned(), value: 1.0 }];
        let svg = bars(name, &rows, |value| value.to_string());
        assert!(
            !svg.contains("<script") && svg.contains("&lt;script&gt;&#39;&quot;&amp; "),
            "{svg}"
        );
    }
}
