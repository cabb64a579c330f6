//! The date of a compile, taken out of the comparison.
//!
//! `__DATE__` and `__TIME__` make the object of another day another object. So both sides are compiled as of one moment, which is
//! the beginning of time unless the recorded call has a `SOURCE_DATE_EPOCH` of its own. The recorded object was compiled at its
//! own: where it differs from the replay, the moment that it holds is read out of its strings, and the replay made again as of
//! then. So a build of another day is proved to be the same, or what is left of the difference is real.

use crate::analysis::selection::Drift;
use crate::object::{Fingerprints, Kind, PartKind, listing};

/// A moment, as `__DATE__` and `__TIME__` tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    day: u32,
    month: u32,
    year: u32,
    /// Hour, minute, second.
    time: [u32; 3],
}

/// What is compiled as of when nothing else is known: `Jan  1 1970`, `00:00:00`.
pub const BEGINNING: Stamp = Stamp { day: 1, month: 1, year: 1970, time: [0; 3] };
/// Any other moment, with no letter or digit in the same place: what differs between the two holds the moment.
pub const ANOTHER: Stamp = Stamp { day: 22, month: 8, year: 2044, time: [11, 22, 33] };

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Stamp {
    /// The text of `__DATE__`.
    pub fn date(self) -> String {
        let month = MONTHS.get(self.month as usize - 1).unwrap_or(&"Jan");
        format!("{month} {:>2} {}", self.day, self.year)
    }

    /// The text of `__TIME__`.
    pub fn time(self) -> String {
        let [hour, minute, second] = self.time;
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// Seconds since 1970, for `SOURCE_DATE_EPOCH`, which compilers read as UTC.
    pub fn epoch(self) -> u64 {
        let is_leap =
            |year: u32| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let years: u32 = (1970..self.year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
        let lengths = [31, if is_leap(self.year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let months: u32 = lengths.iter().take(self.month as usize - 1).sum();
        let [hour, minute, second] = self.time.map(u64::from);
        u64::from(years + months + self.day - 1) * 86400 + hour * 3600 + minute * 60 + second
    }

    /// The first moment told in `text`; each half may stand alone.
    fn read(text: &str) -> Option<Self> {
        let date = windows(text, 11).find_map(date);
        let time = windows(text, 8).find_map(time);
        if date.is_none() && time.is_none() {
            return None;
        }
        let (day, month, year) = date.unwrap_or((1, 1, 1970));
        Some(Self { day, month, year, time: time.unwrap_or_default() })
    }
}

fn windows(text: &str, length: usize) -> impl Iterator<Item = &str> {
    (0..text.len()).filter_map(move |start| text.get(start..start + length))
}

/// `Mmm dd yyyy`, the day filled with a blank.
fn date(text: &str) -> Option<(u32, u32, u32)> {
    let month = MONTHS.iter().position(|month| text.starts_with(month))? + 1;
    let day = text.get(3..6)?.strip_prefix(' ')?.trim_start().parse().ok()?;
    let year = text.get(6..)?.strip_prefix(' ')?.parse().ok()?;
    let fits = (1..=31).contains(&day) && (1970..2200).contains(&year);
    fits.then_some((day, u32::try_from(month).ok()?, year))
}

/// `hh:mm:ss`.
fn time(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split(':');
    let mut next = |below: u32| {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|it| it.is_ascii_digit()))?;
        part.parse().ok().filter(|number| *number < below)
    };
    let time = [next(24)?, next(60)?, next(61)?];
    parts.next().is_none().then_some(time)
}

/// The moment that the recorded object tells in what drifted.
pub fn recorded(prints: &Fingerprints, drift: &[Drift]) -> Option<Stamp> {
    let items = prints.items.iter().filter(|item| drift.iter().any(|drift| item.is_called(&drift.symbol)));
    let mut found: Option<Stamp> = None;
    for item in items {
        let parts: &[PartKind] = if item.kind == Kind::Function {
            &[PartKind::Strings, PartKind::Constants]
        } else {
            &[PartKind::Content]
        };
        for part in parts {
            let text: String =
                listing::lines(prints, item, *part).iter().map(|line| line.text.as_str()).collect();
            let Some(read) = Stamp::read(&text) else { continue };
            let known = found.get_or_insert(read);
            // The date may stand in one place and the time in another.
            if known.time == [0; 3] {
                known.time = read.time;
            }
            if (known.day, known.month, known.year) == (1, 1, 1970) {
                (known.day, known.month, known.year) = (read.day, read.month, read.year);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_text() {
        let stamp = Stamp::read("string #3: \"built on Nov  4 2026 at 09:08:07.\"").unwrap();
        assert_eq!((stamp.date().as_str(), stamp.time().as_str()), ("Nov  4 2026", "09:08:07"));
        assert_eq!(stamp.epoch(), 1_793_783_287);
        assert_eq!(BEGINNING.epoch(), 0);
        assert_eq!(BEGINNING.date(), "Jan  1 1970");
        assert!(Stamp::read("Nov 44 2026 and 1:2:3 and 25:00:00").is_none());
    }
}
