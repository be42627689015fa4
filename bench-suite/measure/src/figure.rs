//! Figures as people read them: three digits and a unit.

/// A time in nanoseconds.
pub fn time(ns: f64) -> String {
    scaled(ns, 1000.0, &["ns", "us", "ms", "s"])
}

/// A size in bytes.
pub fn bytes(bytes: f64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB"])
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // Rounds up into the next unit what would show as 1000.
    while value >= step - 0.5
        && let Some(larger) = units.next()
    {
        value /= step;
        unit = larger;
    }
    let digits = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let times = [0.0, 5.5, 12.34, 560.0, 999.7, 1500.0, 15_000_000.0, 2e9, 7.2e12];
        let shown = times.map(time);
        assert_eq!(
            shown.each_ref().map(|text| text.as_str()),
            [
                "0.00 ns", "5.50 ns", "12.3 ns", "560 ns", "1.00 us", "1.50 us", "15.0 ms",
                "2.00 s", "7200 s"
            ]
        );
        assert_eq!(bytes(1_310_000.0), "1.31 MB");
    }
}
