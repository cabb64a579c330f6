//! What `lpcc report` has to say: what each shadow shows of a build, and the words that text, JSON and the page share.

pub mod html;
pub mod json;
pub mod text;

use bstr::BString;

use crate::analysis::cost::{Total, UnitCost};
use crate::store::record::Cost;

/// The whole answer.
#[derive(Debug)]
pub struct Report {
    /// The recording as the user named it.
    pub recording: String,
    /// Number of units in it.
    pub units: usize,
    /// Number of units that were compiled once only.
    pub once: usize,
    /// Why units have no shadow, or not all that were asked for, and how many have none for that reason; sorted.
    pub because: Vec<(String, usize)>,
    /// What each shadow shows, in the order in which they were first met.
    pub shadows: Vec<ShadowReport>,
    /// What could not be read: a file and what is wrong with it.
    pub troubles: Vec<String>,
}

/// What a shadow is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `-flive-patching`: A is without it, B with it, whichever of the two was the primary.
    LivePatching,
    /// The identical call again.
    Same,
    /// Moved line numbers.
    Lines,
    /// Flags or a compiler.
    Other,
}

impl Subject {
    /// What a shadow of this name is about.
    pub fn of(name: &str) -> Self {
        match name {
            "same" => Self::Same,
            "lines" => Self::Lines,
            name if name.starts_with("toggle-live-patching") => Self::LivePatching,
            _ => Self::Other,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LivePatching => "live-patching",
            Self::Same => "same",
            Self::Lines => "lines",
            Self::Other => "other",
        }
    }

    /// What a function that differs is called here.
    pub fn verdict(self) -> &'static str {
        match self {
            Self::LivePatching | Self::Other => "changed",
            Self::Same => "not deterministic",
            Self::Lines => "depends on __LINE__",
        }
    }
}

/// What one shadow shows.
#[derive(Debug)]
pub struct ShadowReport {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub subject: Subject,
    /// What A is.
    pub a: String,
    /// What B is.
    pub b: String,
    /// Every unit that has it, by object.
    pub units: Vec<UnitReport>,
    /// Units of which there is nothing to compare: object and why.
    pub failed: Vec<(BString, String)>,
    /// The sum.
    pub total: Total,
}

/// One unit.
#[derive(Debug)]
pub struct UnitReport {
    /// The object, below what all objects share.
    pub object: BString,
    /// Its source as the call named it.
    pub source: BString,
    /// What the difference costs.
    pub cost: UnitCost,
    /// What A and B took, where both are known.
    pub took: Option<(Cost, Cost)>,
}

/// What A or B took over all units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// CPU time in microseconds.
    pub cpu: u64,
    /// Time on the clock in microseconds.
    pub wall: u64,
    /// Peak memory of the hungriest unit in KiB.
    pub memory: u64,
}

impl Took {
    fn add(&mut self, cost: &Cost) {
        self.cpu = self.cpu.saturating_add(cost.user).saturating_add(cost.system);
        self.wall = self.wall.saturating_add(cost.wall);
        self.memory = self.memory.max(cost.memory);
    }
}

impl ShadowReport {
    /// What A and B took over the units of which both are known; `None` where there is none.
    pub fn took(&self) -> Option<(Took, Took)> {
        let mut sums = (Took::default(), Took::default());
        let mut known = false;
        for (a, b) in self.units.iter().filter_map(|unit| unit.took.as_ref()) {
            sums.0.add(a);
            sums.1.add(b);
            known = true;
        }
        known.then_some(sums)
    }
}

/// A difference in parts of a hundred, with its sign; empty where there is nothing to compare with.
pub fn percent(a: u64, b: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
    let ratio = |a: u64, b: u64| (b as f64 / a as f64 - 1.0) * 100.0;
    if a == 0 {
        return String::new();
    }
    format!("{:+.2} %", ratio(a, b))
}

/// Microseconds for a person.
pub fn seconds(micros: u64) -> String {
    let millis = micros / 1000;
    if millis < 10_000 {
        format!("{millis} ms")
    } else {
        format!("{}.{} s", millis / 1000, millis % 1000 / 100)
    }
}
