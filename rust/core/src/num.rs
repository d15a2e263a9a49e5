//! Money as scaled integers: text in, text out, no float between.
//!
//! Prices, sizes and positions carry eight decimals (the most that the venue's wire takes), dollars six (the venue's
//! own unit for transfers). Every rounding names its direction; every overflow is a value.
use std::fmt;

/// Units of one price, size or position.
pub const SCALE: i64 = 100_000_000;
/// Units of one dollar.
pub const USD_SCALE: i64 = 1_000_000;
/// Longest text accepted as a number: more is noise or an attack, never a price.
const MAX_TEXT: usize = 40;

/// Why a text or a result is not a number of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumError {
    /// No digits at all.
    #[error("number is empty")]
    Empty,
    /// A byte that plain decimals do not have (exponents, plus signs and NaN included).
    #[error("number has the byte 0x{0:02x}: only digits, one dot and a leading minus are allowed")]
    BadByte(u8),
    /// No digit before or after the dot.
    #[error("number needs digits on both sides of its dot")]
    BareDot,
    /// Longer than any legal number.
    #[error("number is longer than 40 characters")]
    TooLong,
    /// More decimals than the scale holds, and they are not zeros.
    #[error("number has more than {0} decimals")]
    TooManyDecimals(u32),
    /// Does not fit.
    #[error("number is out of range")]
    OutOfRange,
    /// A sign where none may be.
    #[error("number may not be negative")]
    Negative,
    /// NaN or infinite float.
    #[error("number is not finite")]
    NotFinite,
    /// Eight decimals would change the value.
    #[error("number would be rounded: it has more than 8 decimals")]
    WouldRound,
}

/// Where a result that falls between two units goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// To the lower unit, also for negative values.
    Floor,
    /// To the higher unit, also for negative values.
    Ceil,
    /// Towards zero: a size is never made larger.
    TowardZero,
    /// Away from zero: a bound is never made smaller.
    AwayFromZero,
    /// To the nearest unit; halves go away from zero.
    Nearest,
}

/// `a · b / c` in 128 bits. `None` when `c` is zero or the result does not fit an `i64`.
#[must_use]
pub fn mul_div(a: i64, b: i64, c: i64, round: Round) -> Option<i64> {
    let product = i128::from(a).checked_mul(i128::from(b))?;
    i64::try_from(div_round(product, i128::from(c), round)?).ok()
}

/// `a / b` with the direction named. `None` when `b` is zero or the quotient overflows.
#[must_use]
pub fn div_round(a: i128, b: i128, round: Round) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let rest = a.checked_rem(b)?;
    if rest == 0 {
        return Some(quotient);
    }
    let away = if (a < 0) == (b < 0) { 1 } else { -1 };
    let step = match round {
        Round::TowardZero => 0,
        Round::AwayFromZero => away,
        Round::Floor => away.min(0),
        Round::Ceil => away.max(0),
        Round::Nearest => {
            let rest = rest.unsigned_abs();
            if rest >= b.unsigned_abs().checked_sub(rest)? { away } else { 0 }
        }
    };
    quotient.checked_add(step)
}

/// Sign and magnitude of a plain decimal in units of `10^-decimals`, and whether nonzero digits were cut off.
fn scan(text: &[u8], decimals: u32) -> Result<(bool, u64, bool), NumError> {
    if text.len() > MAX_TEXT {
        return Err(NumError::TooLong);
    }
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(NumError::Empty);
    }
    let mut units: u64 = 0;
    let mut whole = 0u32;
    let mut fraction: Option<u32> = None;
    let mut cut = false;
    for &byte in digits {
        match (byte, &mut fraction) {
            (b'0'..=b'9', Some(seen)) if *seen >= decimals => {
                cut |= byte != b'0';
                continue;
            }
            (b'0'..=b'9', Some(seen)) => *seen = seen.saturating_add(1),
            (b'0'..=b'9', None) => whole = whole.saturating_add(1),
            (b'.', None) => {
                fraction = Some(0);
                continue;
            }
            _ => return Err(NumError::BadByte(byte)),
        }
        let digit = u64::from(byte.wrapping_sub(b'0'));
        units = units.checked_mul(10).and_then(|u| u.checked_add(digit)).ok_or(NumError::OutOfRange)?;
    }
    if whole == 0 || digits.ends_with(b".") {
        return Err(NumError::BareDot);
    }
    let missing = decimals.saturating_sub(fraction.unwrap_or(0));
    let scale = 10u64.checked_pow(missing).ok_or(NumError::OutOfRange)?;
    units = units.checked_mul(scale).ok_or(NumError::OutOfRange)?;
    Ok((negative, units, cut))
}

/// Units of `10^-decimals` of the short plain decimal between quotes at the start of `text`, and its length with the quotes: one
/// pass, without a look at overflow, for which it is too short.
#[inline]
fn scan_quoted(text: &[u8], decimals: u32) -> Option<(i64, usize)> {
    const MOST_WHOLE: u32 = 9;
    // Nine digits, a dot, eight digits, a quote.
    const MOST: usize = 19;
    const POWERS: [i64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    let (before, digits) = match text {
        [b'"', b'-', rest @ ..] => (2usize, rest),
        [b'"', rest @ ..] => (1, rest),
        _ => return None,
    };
    let (mut units, mut count, mut whole) = (0i64, 0u32, None);
    for (place, &byte) in digits.iter().take(MOST).enumerate() {
        match byte {
            b'0'..=b'9' => {
                units = units.wrapping_mul(10).wrapping_add(i64::from(byte.wrapping_sub(b'0')));
                count = count.wrapping_add(1);
            }
            b'.' if whole.is_none() => whole = Some(count),
            b'"' => {
                let fraction = count.wrapping_sub(whole.unwrap_or(count));
                let is_plain = matches!(whole.unwrap_or(count), 1..=MOST_WHOLE) && (whole.is_none() || fraction > 0);
                let missing = decimals.checked_sub(fraction).filter(|_| is_plain)?;
                let units = units.wrapping_mul(*POWERS.get(missing as usize)?);
                let length = before.wrapping_add(place).wrapping_add(1);
                return Some((if before == 2 { units.wrapping_neg() } else { units }, length));
            }
            _ => return None,
        }
    }
    None
}

fn parse_scaled(text: &[u8], decimals: u32) -> Result<i64, NumError> {
    let (negative, units, cut) = scan(text, decimals)?;
    if cut {
        return Err(NumError::TooManyDecimals(decimals));
    }
    signed(negative, units)
}

fn signed(negative: bool, units: u64) -> Result<i64, NumError> {
    let units = i64::try_from(units).map_err(|_| NumError::OutOfRange)?;
    Ok(if negative { units.wrapping_neg() } else { units })
}

/// The decimal digits of `n` (below 10^8), one per byte, most significant digit in the lowest byte.
const fn eight_digits(n: u32) -> u64 {
    let n = n as u64;
    let v = (n / 10_000) | ((n % 10_000) << 32);
    // Reciprocals: 10486/2^20 divides four digits by 100, 103/2^10 two digits by 10, exactly over their ranges.
    let hundreds = ((v * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let v = hundreds | ((v - hundreds * 100) << 16);
    let tens = ((v * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((v - tens * 10) << 8)
}

const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends a whole number in decimal.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, n: u64) {
    const E8: u64 = 100_000_000;
    const E16: u64 = E8 * E8;
    if n >= E16 {
        write_head(out, n / E16);
        write_group(out, n / E8 % E8);
        write_group(out, n % E8);
    } else if n >= E8 {
        write_head(out, n / E8);
        write_group(out, n % E8);
    } else {
        write_head(out, n);
    }
}

/// Up to eight digits without leading zeros; zero is "0".
#[inline]
fn write_head(out: &mut Vec<u8>, n: u64) {
    let digits = eight_digits(low32(n));
    let zeros = (digits.trailing_zeros() / 8).min(7);
    let bytes = ((digits | ASCII_ZEROS) >> (zeros * 8)).to_le_bytes();
    let length = 8u32.saturating_sub(zeros);
    out.extend_from_slice(bytes.get(..length as usize).unwrap_or(&bytes));
}

#[inline]
fn write_group(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&(eight_digits(low32(n)) | ASCII_ZEROS).to_le_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "callers reduce below 10^8 first")]
const fn low32(n: u64) -> u32 {
    n as u32
}

/// Canonical wire text: no exponent, no trailing zeros, no trailing dot, never "-0".
#[inline]
fn write_scaled(out: &mut Vec<u8>, units: i64, scale: u64, pad: u64) {
    if units < 0 {
        out.push(b'-');
    }
    let magnitude = units.unsigned_abs();
    write_u64(out, magnitude / scale);
    // Padding a six-decimal fraction to eight digits lets both scales share one path.
    let fraction = magnitude % scale * pad;
    if fraction != 0 {
        let digits = eight_digits(low32(fraction));
        let length = 8u32.saturating_sub(digits.leading_zeros() / 8);
        let bytes = (digits | ASCII_ZEROS).to_le_bytes();
        out.push(b'.');
        out.extend_from_slice(bytes.get(..length as usize).unwrap_or(&bytes));
    }
}

macro_rules! scaled {
    ($(#[$doc:meta])* $name:ident, $scale:expr, $decimals:expr, $pad:expr, $least:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: $name = $name(0);
            /// The largest value.
            pub const MAX: $name = $name(i64::MAX);

            /// From units of the scale. Values below the type's least become that least.
            #[must_use]
            pub const fn from_raw(units: i64) -> Self {
                if units < $least { $name($least) } else { $name(units) }
            }

            /// Units of the scale.
            #[must_use]
            pub const fn raw(self) -> i64 {
                self.0
            }

            /// True for zero.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Strict decimal text: digits with at most one dot, no exponent, no plus, bounded length.
            ///
            /// # Errors
            /// Says which rule the text breaks. Decimals beyond the scale are refused unless they are zeros.
            pub fn parse(text: &[u8]) -> Result<Self, NumError> {
                Self::checked(parse_scaled(text, $decimals)?)
            }

            /// As `parse`, but decimals beyond the scale are rounded in the direction given.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn parse_round(text: &[u8], round: Round) -> Result<Self, NumError> {
                let (negative, units, cut) = scan(text, $decimals)?;
                let up = cut && match round {
                    Round::AwayFromZero => true,
                    Round::TowardZero => false,
                    Round::Floor => negative,
                    Round::Ceil => !negative,
                    Round::Nearest => next_digit(text, $decimals) >= b'5',
                };
                let units = units.checked_add(u64::from(up)).ok_or(NumError::OutOfRange)?;
                Self::checked(signed(negative, units)?)
            }

            /// The number at the start of `text` between quotes, and how many bytes it takes with them, where both are plain.
            /// `None` decides nothing: the strict way does, and names what is wrong.
            #[inline]
            #[must_use]
            pub fn parse_quoted(text: &[u8]) -> Option<(Self, usize)> {
                let (units, length) = scan_quoted(text, $decimals)?;
                Some((Self::checked(units).ok()?, length))
            }

            fn checked(units: i64) -> Result<Self, NumError> {
                if units < $least { Err(NumError::Negative) } else { Ok($name(units)) }
            }

            /// Sum, or `None` outside the range.
            #[must_use]
            pub fn checked_add(self, other: Self) -> Option<Self> {
                Self::checked(self.0.checked_add(other.0)?).ok()
            }

            /// Difference, or `None` outside the range.
            #[must_use]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                Self::checked(self.0.checked_sub(other.0)?).ok()
            }

            /// `self · numerator / denominator`, rounded as told.
            #[must_use]
            pub fn mul_div(self, numerator: i64, denominator: i64, round: Round) -> Option<Self> {
                Self::checked(mul_div(self.0, numerator, denominator, round)?).ok()
            }

            /// Appends the canonical wire text.
            #[inline]
            pub fn write_wire(self, out: &mut Vec<u8>) {
                write_scaled(out, self.0, $scale.unsigned_abs(), $pad);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = Vec::with_capacity(24);
                self.write_wire(&mut text);
                f.pad(&String::from_utf8_lossy(&text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = NumError;
            fn from_str(text: &str) -> Result<Self, NumError> {
                Self::parse(text.as_bytes())
            }
        }
    };
}

/// The first digit that a scale of `decimals` cuts off.
fn next_digit(text: &[u8], decimals: u32) -> u8 {
    let after_dot = text.iter().skip_while(|&&byte| byte != b'.').skip(1);
    after_dot.copied().nth(decimals as usize).unwrap_or(b'0')
}

scaled! {
    /// A price, in units of 10^-8 of the quote currency; never negative.
    Px, SCALE, 8, 1, 0
}
scaled! {
    /// A size without direction, in units of 10^-8 of the coin; never negative.
    Sz, SCALE, 8, 1, 0
}
scaled! {
    /// A position: signed size, long is positive, in units of 10^-8 of the coin.
    Pos, SCALE, 8, 1, -i64::MAX
}
scaled! {
    /// Dollars, signed, in units of 10^-6.
    Usd, USD_SCALE, 6, 100, -i64::MAX
}

impl Pos {
    /// The size without its direction.
    #[must_use]
    pub const fn abs(self) -> Sz {
        Sz(self.0.wrapping_abs())
    }

    /// A size with a direction: positive for a buy.
    #[must_use]
    pub const fn from_size(size: Sz, is_buy: bool) -> Pos {
        Pos(if is_buy { size.0 } else { size.0.wrapping_neg() })
    }

    /// The opposite position.
    #[must_use]
    pub const fn negated(self) -> Pos {
        Pos(self.0.wrapping_neg())
    }
}

impl Usd {
    /// The opposite amount.
    #[must_use]
    pub const fn negated(self) -> Usd {
        Usd(self.0.wrapping_neg())
    }
}

/// Price times size in dollars. `None` when it does not fit.
#[must_use]
pub fn notional(price: Px, size: Sz, round: Round) -> Option<Usd> {
    // 10^-8 · 10^-8 = 10^-16; dollars keep 10^-6.
    mul_div(price.0, size.0, 10_000_000_000, round).map(Usd)
}

/// A float as units of 10^-8, with the official SDK's semantics: refused when eight decimals would change the value.
///
/// # Errors
/// `NotFinite`, `WouldRound` when rounding moves the value by 10^-12 or more, `OutOfRange` beyond 9.2·10^10.
pub fn float_to_units(value: f64) -> Result<i64, NumError> {
    if !value.is_finite() {
        return Err(NumError::NotFinite);
    }
    // Below 10^6 a double resolves 10^-10, so a product rounded the wrong way is half a unit off and refused below.
    if value.abs() < 1e6 {
        let units = (value * 1e8).round();
        if (units / 1e8 - value).abs() >= 1e-12 {
            return Err(NumError::WouldRound);
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 10^14 by the check above")]
        return Ok(units as i64);
    }
    parse_scaled(eight_decimals(value)?.as_bytes(), 8)
}

/// A float as wire text, with the official SDK's semantics. Unlike the SDK's, never "-0", "NaN" or "Infinity".
///
/// # Errors
/// `NotFinite`, and `WouldRound` when eight decimals move the value by 10^-12 or more.
pub fn float_to_wire(value: f64, out: &mut Vec<u8>) -> Result<(), NumError> {
    match float_to_units(value) {
        Ok(units) => write_scaled(out, units, SCALE.unsigned_abs(), 1),
        // Beyond the range of money there is still text.
        Err(NumError::OutOfRange | NumError::TooLong) => {
            out.extend_from_slice(eight_decimals(value)?.trim_end_matches('0').trim_end_matches('.').as_bytes());
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn eight_decimals(value: f64) -> Result<String, NumError> {
    let text = format!("{value:.8}");
    let rounded: f64 = text.parse().map_err(|_| NumError::NotFinite)?;
    if (rounded - value).abs() >= 1e-12 { Err(NumError::WouldRound) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_between_quotes_is_the_same_on_the_short_way_as_on_the_strict_one(
            text in "-?[0-9]{0,12}(\\.[0-9]{0,10})?[-.x 9]?", behind in "[\"9,}x]{0,9}"
        ) {
            let quoted = format!("\"{text}\"{behind}");
            if let Some((units, length)) = Pos::parse_quoted(quoted.as_bytes()) {
                prop_assert_eq!(Ok(units), Pos::parse(text.as_bytes()));
                prop_assert_eq!(length, text.len() + 2);
            }
            if let Some((units, _)) = Usd::parse_quoted(quoted.as_bytes()) {
                prop_assert_eq!(Ok(units), Usd::parse(text.as_bytes()));
            }
            prop_assert_eq!(Px::parse_quoted(text.as_bytes()), None, "without a quote in front");
            prop_assert_eq!(Px::parse_quoted(&quoted.as_bytes()[..text.len() + 1]), None, "without one behind");
        }
    }

    #[test]
    fn prices_and_sizes_of_usual_length_take_the_short_way() {
        for text in ["0", "3000", "86006.0", "-0.14136", "0.07905", "123456789.12345678", "0.00000001"] {
            let quoted = format!("\"{text}\"}}");
            assert_eq!(Pos::parse_quoted(quoted.as_bytes()).unwrap().0, text.parse().unwrap());
            assert_eq!(Px::parse_quoted(quoted.as_bytes()).is_none(), text.starts_with('-'), "a price has no sign");
        }
    }
}
