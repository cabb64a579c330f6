//! The first differing place of two items, and how it is said.

use bstr::BString;

use super::findings::Listing;
use crate::object::listing::{self, Line};
use crate::object::{Fingerprints, Item, Kind, PartKind};

/// An item with the object it belongs to.
pub type In<'a> = (&'a Fingerprints, &'a Item);

/// The first place where two items differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The part it was found in.
    pub part: PartKind,
    /// What stands there on the old side; `None` where the place is new.
    pub old: Option<SpotSide>,
    /// What stands there on the new side; `None` where the place is gone.
    pub new: Option<SpotSide>,
}

/// One side of a [`Spot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpotSide {
    /// Number of the instruction or entry.
    pub index: Option<u32>,
    /// Offset in bytes from the start of the item.
    pub offset: Option<u64>,
    /// What stands there.
    pub text: String,
}

impl From<&Line> for SpotSide {
    fn from(line: &Line) -> Self {
        Self { index: Some(line.index), offset: line.offset, text: line.text.clone() }
    }
}

/// What a line of code says before bytes that were not decoded.
const UNDECODED: &str = "bytes ";

/// In which order parts are looked through: what a person understands first comes first.
const BY_INTEREST: [PartKind; 9] = [
    PartKind::Code,
    PartKind::Strings,
    PartKind::Constants,
    PartKind::Tables,
    PartKind::Content,
    PartKind::References,
    PartKind::Sites,
    PartKind::Unwinding,
    PartKind::Attributes,
];

impl Spot {
    /// The first differing place in the given parts; `None` where the streams are not loaded.
    pub fn first(old: In<'_>, new: In<'_>, parts: &[PartKind]) -> Option<Self> {
        let has = |kind: &PartKind| parts.contains(kind);
        if is_in_instructions(new.1, parts) {
            let (old, new) = (listing::instructions(old.0, old.1), listing::instructions(new.0, new.1));
            if let Some(spot) = Self::between(PartKind::Code, &old, &new) {
                return Some(spot);
            }
        }
        BY_INTEREST.iter().filter(|kind| has(kind)).find_map(|&kind| {
            Self::between(kind, &listing::lines(old.0, old.1, kind), &listing::lines(new.0, new.1, kind))
        })
    }

    /// A reference that went from one item to another while all bytes stayed.
    pub fn reference(old: Option<String>, new: Option<String>) -> Self {
        let side = |text| SpotSide { index: None, offset: None, text };
        Self { part: PartKind::References, old: old.map(side), new: new.map(side) }
    }

    /// The first difference of two listings. An entry that merely moved down was not replaced: something was
    /// put before it.
    fn between(part: PartKind, old: &[Line], new: &[Line]) -> Option<Self> {
        let at = old.iter().zip(new).take_while(|(old, new)| old.text == new.text).count();
        let (rest_old, rest_new) = (old.get(at..)?, new.get(at..)?);
        let (first_old, first_new) = (rest_old.first(), rest_new.first());
        let in_rest = |line: Option<&Line>, rest: &[Line]| {
            line.is_none_or(|line| {
                let value = without_number(part, &line.text);
                rest.iter().any(|other| without_number(part, &other.text) == value)
            })
        };
        let (old, new) = match (first_old, first_new) {
            (None, None) => return None,
            _ if part == PartKind::Code => (first_old, first_new),
            _ if rest_new.len() > rest_old.len() && in_rest(first_old, rest_new) => (None, first_new),
            _ if rest_old.len() > rest_new.len() && in_rest(first_new, rest_old) => (first_old, None),
            both => both,
        };
        Some(Self { part, old: old.map(SpotSide::from), new: new.map(SpotSide::from) })
    }

    /// The place in words: `at +0x1a4: cmp $0x7,%eax -> cmp $0x8,%eax`, `string "a" became "b"`.
    pub fn describe(&self) -> String {
        let noun = match self.part {
            PartKind::Code => return self.describe_code(),
            PartKind::Content => return self.describe_content(),
            PartKind::Strings => "string",
            PartKind::Constants => "constant",
            PartKind::Tables => "table",
            PartKind::References => "reference to",
            PartKind::Sites => "entry",
            PartKind::Unwinding => "unwinding",
            PartKind::Attributes => "attribute",
        };
        let text = |side: &SpotSide| shortened(without_number(self.part, &side.text));
        match (&self.old, &self.new) {
            // Two things of one name, such as statics whose roles were swapped.
            (Some(old), Some(new)) if old.text == new.text => format!("{noun} another {}", text(new)),
            (Some(old), Some(new)) => format!("{noun} {} became {}", text(old), text(new)),
            (None, Some(new)) => format!("{noun} {} is new", text(new)),
            (Some(old), None) => format!("{noun} {} is gone", text(old)),
            (None, None) => String::new(),
        }
    }

    /// Content is one long line of bytes in groups of eight: the first group that differs says more.
    fn describe_content(&self) -> String {
        let (Some(old), Some(new)) = (&self.old, &self.new) else { return "content".to_owned() };
        let plain = |text: &str| text.strip_prefix(UNDECODED).unwrap_or(text).to_owned();
        let groups = |text: &'_ str| plain(text).split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (olds, news) = (groups(&old.text), groups(&new.text));
        let at = olds.iter().zip(&news).take_while(|(old, new)| old == new).count();
        let is_bytes = |group: &&String| {
            group.len().is_multiple_of(2) && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        match (olds.get(at).filter(is_bytes), news.get(at).filter(is_bytes)) {
            (Some(old), Some(new)) => {
                let same = old.bytes().zip(new.bytes()).take_while(|(old, new)| old == new).count() / 2;
                let rest = |group: &str| group.get(2 * same..).unwrap_or_default().to_owned();
                format!("at +{:#x}: {} -> {}", at * 8 + same, rest(old), rest(new))
            }
            _ => format!("{} -> {}", shortened(&old.text), shortened(&new.text)),
        }
    }

    fn describe_code(&self) -> String {
        if let (Some(old), Some(new)) = (&self.old, &self.new)
            && old.text.starts_with(UNDECODED)
            && new.text.starts_with(UNDECODED)
        {
            return self.describe_content();
        }
        let place = self.new.as_ref().or(self.old.as_ref()).map_or_else(String::new, |side| {
            match (side.offset, side.index) {
                (Some(offset), _) => format!("at +{offset:#x}: "),
                (None, Some(index)) => format!("at instruction {index}: "),
                (None, None) => String::new(),
            }
        });
        let text = |side: &SpotSide| shortened(&side.text);
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{place}{} -> {}", text(old), text(new)),
            (None, Some(new)) => format!("{place}{} is new", text(new)),
            (Some(old), None) => format!("{place}{} is gone", text(old)),
            (None, None) => String::new(),
        }
    }
}

/// Whether the instructions, with what they refer to written out, are the place to look.
fn is_in_instructions(item: &Item, parts: &[PartKind]) -> bool {
    item.kind == Kind::Function
        && [PartKind::Code, PartKind::References].iter().any(|kind| parts.contains(kind))
}

/// The listings in which two items differ: the instructions, then every part that these do not show.
pub fn listings(old: In<'_>, new: In<'_>, parts: &[PartKind]) -> Vec<Listing> {
    let differs = |listing: &Listing| {
        !listing.old.iter().map(|line| &line.text).eq(listing.new.iter().map(|line| &line.text))
    };
    let instructions = is_in_instructions(new.1, parts).then(|| Listing {
        part: PartKind::Code,
        old: listing::instructions(old.0, old.1),
        new: listing::instructions(new.0, new.1),
    });
    let instructions = instructions.filter(differs);
    let shown_there = |kind: PartKind| {
        instructions.is_some() && matches!(kind, PartKind::Code | PartKind::References | PartKind::Strings)
    };
    let mut listings: Vec<Listing> = parts
        .iter()
        .filter(|kind| !shown_there(**kind))
        .map(|&part| Listing {
            part,
            old: listing::lines(old.0, old.1, part),
            new: listing::lines(new.0, new.1, part),
        })
        .filter(differs)
        .collect();
    listings.splice(0..0, instructions);
    listings
}

/// How a new name for an old body is said.
pub fn renamed(old: &BString, new: &BString) -> String {
    format!("{old} became {new}")
}

/// The entry without its number: `string #3: "x"`.
fn without_number(part: PartKind, text: &str) -> &str {
    let numbered = matches!(part, PartKind::Strings | PartKind::Constants | PartKind::Tables);
    text.split_once(": ").filter(|_| numbered).map_or(text, |(_, value)| value)
}

/// Entries can be as long as the data they show; a detail is one line.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 100;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or(text)),
        None => text.to_owned(),
    }
}
