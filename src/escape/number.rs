//! Numbers and bytes as text.

/// Returns `value`, or zero if formatting it with `decimals` decimals would show a negative zero, as for a
/// share of -1e-17 that results from a rounding error.
#[must_use]
pub fn without_negative_zero(value: f64, decimals: i32) -> f64 {
    let vanishes = value <= 0.0 && value * 10f64.powi(decimals) >= -0.5;
    if vanishes { 0.0 } else { value }
}

/// Returns bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_written_as_a_negative_zero() {
        for value in [-0.0, -1e-17, -0.049, 0.0, 0.04] {
            assert_eq!(format!("{:.1}", without_negative_zero(value, 1)), "0.0", "{value}");
        }
        assert_eq!(
            format!(
                "{:.0} {:.1} {:.2}",
                without_negative_zero(-0.5, 0),
                without_negative_zero(-0.06, 1),
                without_negative_zero(0.05, 2)
            ),
            "0 -0.1 0.05"
        );
    }
}
