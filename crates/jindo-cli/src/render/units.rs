//! Numbers, sizes and durations in words.

/// Returns a number with thousands separators: `1,632`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with its noun: `1 query`, `2 queries`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Returns a size in decimal units: `2.1 GB`.
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Returns a duration, rounded: `48 s`, `27 min`, `2 h 2 min`, `93 h`.
pub(crate) fn seconds(secs: u64) -> String {
    match secs {
        0..=119 => format!("{secs} s"),
        120..=7_199 => format!("{} min", (secs + 30) / 60),
        7_200..=35_999 => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} h", count((secs + 1_800) / 3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [count(0), count(999), count(1_632), count(333_504)],
            ["0", "999", "1,632", "333,504"]
        );
        assert_eq!([size(999), size(1_000), size(2_100_000_000)], ["999 B", "1.0 kB", "2.1 GB"]);
        assert_eq!([seconds(48), seconds(1_632), seconds(333_504)], ["48 s", "27 min", "93 h"]);
    }
}
