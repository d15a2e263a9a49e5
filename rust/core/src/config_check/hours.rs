//! Hours of the day at which entries are taken: windows of a zone's wall clock, and the zone's offsets over the years.
use std::sync::Arc;

use crate::config::{ConfigError, RawZone};

const MINUTES: u16 = 1_440;
const DAY_S: i64 = 86_400;
/// More changes of clocks than any zone has in a human life.
const MAX_OFFSETS: usize = 1_024;

/// A zone of the tz database as a table, so that the core needs neither the database nor a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// As in "Europe/Berlin".
    pub name: String,
    /// From this Unix second on, local time is so many seconds ahead of UTC; ascending.
    offsets: Vec<(i64, i32)>,
}

impl Zone {
    /// Seconds ahead of UTC. Before the table begins its first offset holds.
    fn offset_s(&self, unix_s: i64) -> i32 {
        let after = self.offsets.partition_point(|(from, _)| *from <= unix_s);
        self.offsets.get(after.saturating_sub(1)).map_or(0, |(_, offset)| *offset)
    }
}

/// Windows of one zone's wall clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Minutes of the day: the first that is in, the first that is out. A window that ends before it begins passes midnight.
    windows: Vec<(u16, u16)>,
    /// `None`: UTC.
    zone: Option<Arc<Zone>>,
}

impl Hours {
    /// Whether a moment is within one of the windows.
    #[must_use]
    pub fn contains(&self, now_ms: u64) -> bool {
        let unix_s = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        let offset = self.zone.as_ref().map_or(0, |zone| zone.offset_s(unix_s));
        let minute = unix_s.saturating_add(i64::from(offset)).rem_euclid(DAY_S) / 60;
        let minute = u16::try_from(minute).unwrap_or(0);
        self.windows.iter().any(|&(start, end)| {
            if start < end { (start..end).contains(&minute) } else { minute >= start || minute < end }
        })
    }
}

pub(super) fn check_zones(raw: &[RawZone]) -> Result<Vec<Arc<Zone>>, ConfigError> {
    raw.iter()
        .enumerate()
        .map(|(at, zone)| {
            let wrong = |problem| Err(ConfigError::new(format!("zones[{at}].offsets"), problem));
            if zone.offsets.is_empty() || zone.offsets.len() > MAX_OFFSETS {
                return wrong("has no offset, or more than 1024");
            }
            if !zone.offsets.is_sorted_by(|a, b| a.0 < b.0) {
                return wrong("is not ascending");
            }
            if zone.offsets.iter().any(|(_, offset)| i64::from(offset.unsigned_abs()) >= DAY_S) {
                return wrong("holds an offset of a day or more");
            }
            Ok(Arc::new(Zone { name: zone.name.clone(), offsets: zone.offsets.clone() }))
        })
        .collect()
}

pub(super) fn check_hours(
    at: &str,
    windows: Option<&[String]>,
    zone: Option<&str>,
    zones: &[Arc<Zone>],
) -> Result<Option<Hours>, ConfigError> {
    let Some(windows) = windows else {
        return match zone {
            None => Ok(None),
            Some(_) => Err(ConfigError::new(format!("{at}.hours_zone"), "is only for hours: set them, or remove it")),
        };
    };
    if windows.is_empty() {
        let problem = "is empty and would allow no time: give windows, or leave it out for all day";
        return Err(ConfigError::new(format!("{at}.hours"), problem));
    }
    let windows = windows.iter().enumerate().map(|(i, text)| window(&format!("{at}.hours[{i}]"), text));
    let zone = match zone {
        None | Some("UTC") => None,
        Some(name) => {
            let known = zones.iter().find(|zone| zone.name == name);
            let unknown = || ConfigError::new(format!("{at}.hours_zone"), format!("{name:?} has no table in zones"));
            Some(known.cloned().ok_or_else(unknown)?)
        }
    };
    Ok(Some(Hours { windows: windows.collect::<Result<_, _>>()?, zone }))
}

/// `HH:MM-HH:MM`, the end up to 24:00.
fn window(setting: &str, text: &str) -> Result<(u16, u16), ConfigError> {
    let wrong = |problem: &str| ConfigError::new(setting, format!("{text:?} {problem}"));
    let parts = text.split_once('-').and_then(|(start, end)| Some((minute(start)?, minute(end)?)));
    let (start, end) = parts.ok_or_else(|| wrong("is no window: write \"HH:MM-HH:MM\""))?;
    if start >= MINUTES {
        return Err(wrong("begins after the day's last minute"));
    }
    if start == end || (start == 0 && end == MINUTES) {
        return Err(wrong("is the whole day or nothing: leave hours out for all day"));
    }
    Ok((start, end % MINUTES))
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= MINUTES).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Berlin in 2026: +1, from 29 March 01:00 UTC +2, from 25 October 01:00 UTC +1.
    fn berlin() -> Arc<Zone> {
        Arc::new(Zone {
            name: "Europe/Berlin".into(),
            offsets: vec![(1_761_440_400, 3_600), (1_774_746_000, 7_200), (1_792_890_000, 3_600)],
        })
    }

    fn hours(windows: &[&str], zone: Option<&str>) -> Hours {
        let windows: Vec<String> = windows.iter().map(|window| (*window).to_owned()).collect();
        check_hours("follows[0]", Some(&windows), zone, &[berlin()]).unwrap().unwrap()
    }

    #[test]
    fn a_window_is_half_open_to_the_minute() {
        let office = hours(&["09:00-17:30"], None);
        let at = |hour: u64, minute: u64, second: u64| office.contains((hour * 3_600 + minute * 60 + second) * 1_000);
        assert_eq!([at(8, 59, 59), at(9, 0, 0), at(17, 29, 59), at(17, 30, 0)], [false, true, true, false]);
    }

    #[test]
    fn mistake_an_hour_range_that_cannot_wrap() {
        let night = hours(&["22:00-06:00"], None);
        let at = |hour: u64, minute: u64| night.contains((hour * 60 + minute) * 60_000);
        assert_eq!(
            [at(21, 59), at(22, 0), at(23, 59), at(0, 0), at(5, 59), at(6, 0)],
            [false, true, true, true, true, false]
        );
        let to_midnight = hours(&["20:00-24:00", "00:00-01:00"], None);
        let at = |hour: u64| to_midnight.contains(hour * 3_600_000);
        assert_eq!([at(19), at(20), at(23), at(0), at(1)], [false, true, true, true, false]);
    }

    #[test]
    fn a_zone_keeps_its_wall_clock_over_both_changes_of_the_clocks() {
        let office = hours(&["09:00-17:00"], Some("Europe/Berlin"));
        // 09:00 in Berlin: 08:00 UTC on 28 March, 07:00 UTC on 29 March and in summer, 08:00 UTC from 25 October on.
        for (nine, day) in [
            (1_774_684_800u64, "28 March"),
            (1_774_767_600, "29 March"),
            (1_792_825_200, "24 October"),
            (1_792_915_200, "25 October"),
        ] {
            assert!(office.contains(nine * 1_000), "{day}");
            assert!(!office.contains(nine * 1_000 - 1), "{day}");
        }
        // The hour from 02:00 to 03:00 is there twice on 25 October and not at all on 29 March.
        let night = hours(&["02:00-03:00"], Some("Europe/Berlin"));
        let minutes = |from: u64| (0..240).filter(|minute| night.contains((from + minute * 60) * 1_000)).count();
        assert_eq!((minutes(1_774_738_800), minutes(1_792_882_800)), (0, 120));
    }

    #[test]
    fn senseless_hours_are_refused_by_name() {
        let refused = |windows: &[&str], zone: Option<&str>| {
            let windows: Vec<String> = windows.iter().map(|window| (*window).to_owned()).collect();
            check_hours("follows[0]", Some(&windows), zone, &[berlin()]).unwrap_err().setting
        };
        for text in [
            "9:00-17:00",
            "09:00",
            "09:00-24:01",
            "24:00-01:00",
            "09:60-10:00",
            "09:00-09:00",
            "00:00-24:00",
            "+9:00-10:00",
        ] {
            assert_eq!(refused(&["01:00-02:00", text], None), "follows[0].hours[1]", "{text}");
        }
        assert_eq!(refused(&[], None), "follows[0].hours");
        assert_eq!(refused(&["01:00-02:00"], Some("Mars/Olympus")), "follows[0].hours_zone");
        assert_eq!(check_hours("follows[0]", None, Some("UTC"), &[]).unwrap_err().setting, "follows[0].hours_zone");
    }
}
