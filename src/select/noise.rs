//! What differs without any change of what a function does, proved by a replay of its own: the day, and `__COUNTER__`.
//! Line numbers go along with every replay, in [`super::unit`].

use std::collections::BTreeSet;
use std::path::PathBuf;

use bstr::{BString, ByteSlice};

use super::replay::{Call, Wish};
use super::stamp::{self, Stamp};
use super::unit::{self, Context};
use super::view::View;
use super::{SelectError, counter};
use crate::analysis::selection::Drift;
use crate::analysis::{self, Finding};
use crate::object::Fingerprints;

impl Context<'_> {
    /// Whether one of these files, recorded paths, uses `__COUNTER__`.
    pub fn uses_counter(&self, inputs: &BTreeSet<PathBuf>) -> bool {
        let uses = |path: &PathBuf| {
            std::fs::read(self.views.new.path(path)).is_ok_and(|text| text.contains_str("__COUNTER__"))
        };
        inputs.iter().any(uses)
    }

    /// The findings that are left where both sides use `__COUNTER__` equally often; `None` where they do so anyway.
    pub fn with_counter_kept(&self, call: &Call<'_>, number: usize) -> Result<Option<Vec<Finding>>, String> {
        let views = self.counted.get_or_init(|| self.make_counted().ok()).as_ref();
        let (old, new) = views.ok_or("no directory for it could be made")?;
        let aside = |state: &str| self.scratch.join(format!("{number}-{state}.x"));
        let shown = |view, state| call.preprocess(view, &aside(state), &[counter::SHOW], None);
        let options = counter::options(&shown(old, "old-count")?, &shown(new, "new-count")?)
            .ok_or("both sides use it too differently")?;
        if options.is_empty() {
            return Ok(None);
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let (old, new) = rayon::join(
            || self.replay(call, old, (number, "old-count"), &options, false),
            || self.replay(call, new, (number, "new-count"), &options, true),
        );
        Ok(Some(analysis::compare(&old?.prints, &new?.prints)))
    }

    fn make_counted(&self) -> Result<(View, View), SelectError> {
        let old = self.views.new.twin(&self.scratch.join("old-count"))?;
        let new = self.views.new.twin(&self.scratch.join("new-count"))?;
        let mut next = 0;
        for file in &self.files {
            let (Some(was), Some(is)) = (&file.edited.old, &file.edited.new) else {
                old.put(&file.recorded, file.edited.old.as_deref())?;
                continue;
            };
            let (was, is) = counter::places(was, is, &mut next);
            old.put(&file.recorded, Some(&was))?;
            new.put(&file.recorded, Some(&is))?;
        }
        Ok((old, new))
    }

    /// Takes out of `drift` what is so only because the recorded compile was of another day, and marks what cannot be told.
    pub fn of_another_day(
        &self,
        call: &Call<'_>,
        number: usize,
        (recorded, object): (&Fingerprints, &BString),
        drift: &mut Vec<Drift>,
        notes: &mut Vec<String>,
    ) {
        let as_of = |stamp: Stamp| {
            let aside = self.scratch.join(format!("{number}-dated.x"));
            let wish = Wish { extra: &[], edited: None, stamp: Some(stamp) };
            call.run(&self.views.old, &aside, wish).ok()
        };
        if let Some(stamp) = stamp::recorded(recorded, drift)
            && let Some(dated) = as_of(stamp)
        {
            let left = unit::drift(Some(recorded), &dated.prints, object);
            if left.len() < drift.len() {
                notes.push(format!(
                    "holds the moment of its compile ({} {}): compared as of then",
                    stamp.date(),
                    stamp.time()
                ));
                *drift = left;
            }
        }
        if drift.is_empty() {
            return;
        }
        let (Some(one), Some(other)) = (as_of(stamp::BEGINNING), as_of(stamp::ANOTHER)) else { return };
        let dated: BTreeSet<BString> =
            analysis::compare(&one.prints, &other.prints).into_iter().map(|finding| finding.symbol).collect();
        for drift in drift.iter_mut().filter(|drift| dated.contains(&drift.symbol)) {
            drift.detail.push_str("; it holds `__DATE__` or `__TIME__`");
        }
    }
}
