//! What several looks and several rows cost: each look spends its own part of the error, and rows share
//! it by Holm's rule.
//!
//! The spending is that of O'Brien and Fleming: next to nothing at first, when few processes are there,
//! and most at last. A row's p-values at its looks become one, the smallest error at which some look
//! would have alarmed, and so rows that stopped at different looks can be ranked.

/// How often rows are looked at while they are measured.
pub const LOOKS: usize = 5;

/// The two-sided tail of the normal distribution beyond `z`.
fn tail(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2)
}

/// What is spent up to and with look `look`, from 1 on, where all looks spend `tail(z)`.
fn spent(look: usize, z: f64) -> f64 {
    match look {
        0 => 0.0,
        look => tail(z / (look as f64 / LOOKS as f64).sqrt()),
    }
}

/// The error of all looks at which look `look`, from 0 on, would alarm with this p-value: the part that
/// it may spend is then as large as that. 1 beyond a third, of which nobody makes an error.
pub fn p_value_of_look(p_value: f64, look: usize) -> f64 {
    let part = |z: f64| spent(look + 1, z) - spent(look, z);
    // From here on a larger error has larger parts, whatever the look.
    let (mut low, mut high) = (1.0, 40.0);
    if p_value > part(low) {
        return 1.0;
    }
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if part(middle) >= p_value { low = middle } else { high = middle }
    }
    tail(low)
}

/// Which of these p-values are significant together at `error`, by Holm's rule.
pub fn holm(p_values: &[f64], error: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut significant = vec![false; p_values.len()];
    for (place, row) in order.into_iter().enumerate() {
        if p_values[row] > error / (p_values.len() - place) as f64 {
            break;
        }
        significant[row] = true;
    }
    significant
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_looks_spend_the_error_once() {
        for z in [1.0, 1.96, 2.576, 3.3] {
            let parts = (0..LOOKS).map(|look| spent(look + 1, z) - spent(look, z));
            assert!((parts.sum::<f64>() - tail(z)).abs() < 1e-12);
        }
        // The parts of 5 %, from tables of the normal distribution.
        let parts = [1.17e-5, 1.94e-3, 1.14e-2, 2.84e-2, 0.05];
        for (look, part) in parts.into_iter().enumerate() {
            assert!((spent(look + 1, 1.959_964) / part - 1.0).abs() < 0.02, "look {look}");
        }
    }

    /// A look alarms at its part of the error and not above it.
    #[test]
    fn a_look_alarms_where_its_part_says_so() {
        for error in [0.05, 0.01, 0.001] {
            let z = (0..4000).map(|n| f64::from(n) / 1000.0).find(|z| tail(*z) <= error);
            let z = z.expect("within four deviations");
            for look in 0..LOOKS {
                let part = spent(look + 1, z) - spent(look, z);
                assert!((p_value_of_look(part, look) / tail(z) - 1.0).abs() < 1e-6);
                assert!(p_value_of_look(part * 1.01, look) > tail(z));
            }
        }
        assert_eq!(p_value_of_look(1.0, 0), 1.0);
        assert!(p_value_of_look(0.0, 4) < 1e-300);
    }

    /// Equal sides that are looked at five times alarm as seldom as was said, however their p-values
    /// hang together.
    #[test]
    fn five_looks_keep_the_error() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut alarms = 0;
        for _ in 0..20_000 {
            let mut sum = 0.0;
            alarms += u32::from((0..LOOKS).any(|look| {
                // A step that is about normal, and the p-value of the sum of the steps.
                sum += (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>();
                p_value_of_look(tail(sum.abs() / ((look + 1) as f64).sqrt()), look) <= 0.05
            }));
        }
        // 5 % are 1 000, and the parts are added as if no look hung on another: somewhat fewer.
        assert!((600..=1060).contains(&alarms), "{alarms} of 20 000");
    }

    #[test]
    fn holm_is_stricter_with_more_rows() {
        assert_eq!(holm(&[0.01, 0.04, 0.02], 0.05), [true, true, true]);
        assert_eq!(holm(&[0.01, 0.04, 0.03], 0.05), [true, false, false]);
        assert_eq!(holm(&[0.04, 0.5], 0.05), [false, false]);
        assert_eq!(holm(&[], 0.05), [false; 0]);
    }

    /// Holm's rule never takes back what Bonferroni's gives, and gives nothing above the error.
    #[test]
    fn holm_lies_between_bonferroni_and_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..500 {
            let len = rng.random_range(1..20);
            let p_values: Vec<f64> = (0..len).map(|_| rng.random_range(0.0..0.1)).collect();
            for (p, significant) in p_values.iter().zip(holm(&p_values, 0.05)) {
                assert!(significant || *p > 0.05 / f64::from(len));
                assert!(!significant || *p <= 0.05);
            }
        }
    }
}
