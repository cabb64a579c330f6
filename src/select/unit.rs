//! One unit on both sides: replayed, compared, and its findings given reasons.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bstr::{BString, ByteSlice};

use super::edits::{self, File};
use super::indirect::Text;
use super::pieces::Defined;
use super::replay::{self, Call, Replayed, Wish};
use super::view::View;
use super::{ablation, indirect};
use crate::analysis::close::{About, Closed, close};
use crate::analysis::judge::{self, Neighbours, Target};
use crate::analysis::selection::{Drift, Function, FunctionChange, LineOnly, Noise, Why, WhyKind};
use crate::analysis::why::{self, Evidence, Indirect};
use crate::analysis::{self, Change, Finding, FindingKind};
use crate::argv::Language;
use crate::object::debug::{self, Debug};
use crate::object::fingerprint::RECIPE;
use crate::object::{Fingerprints, Kind};
use crate::store::absolute;

/// The views of the tree, each with another state of the edited files.
#[derive(Debug)]
pub struct Views {
    /// As recorded, where what runs now has earlier patches on top.
    pub shipped: Option<View>,
    /// What runs now.
    pub old: View,
    /// Patched.
    pub new: View,
    /// Patched, with the lines that were there before numbered as before; `None` where that is the same.
    pub aligned: Option<View>,
}

impl Views {
    /// The patched side as it is compared: with the lines kept, where that makes a difference.
    pub fn patched(&self) -> &View {
        self.aligned.as_ref().unwrap_or(&self.new)
    }
}

/// What every unit is compared by.
#[derive(Debug)]
pub struct Context<'a> {
    /// The views.
    pub views: Views,
    /// Edited files as they really are.
    pub edited: BTreeSet<PathBuf>,
    /// The edits.
    pub files: Vec<File<'a>>,
    /// Where compiles write.
    pub scratch: PathBuf,
    /// What takes the functions over.
    pub target: Target,
    /// Both states with places to set `__COUNTER__` at; made when a unit first asks. `None` where they cannot be made.
    pub counted: OnceLock<Option<(View, View)>>,
}

/// What one unit contributes.
#[derive(Debug, Default)]
pub struct Answer {
    /// Functions, data and the rest.
    pub closed: Closed,
    /// Where the unpatched replay is not what was recorded.
    pub drift: Vec<Drift>,
    /// Functions that differ in line numbers only.
    pub line_only: Vec<LineOnly>,
    /// What is to be said.
    pub notes: Vec<String>,
    /// Files that the patched side read.
    pub read: BTreeSet<PathBuf>,
    /// Fingerprints and debug information, for the verdicts.
    pub sides: Option<Sides>,
}

/// Both sides of a unit.
#[derive(Debug)]
pub struct Sides {
    /// The running code.
    pub old: Fingerprints,
    /// The patched.
    pub new: Fingerprints,
    /// Debug information of the running code.
    pub debug: Debug,
}

/// What adds nothing to the code and tells of inlining.
const DEBUG: &[&str] = &["-g"];

impl Context<'_> {
    /// Replays and compares the unit; `number` makes names of files its own. An error is why it cannot be compared.
    pub fn unit(
        &self,
        call: &Call<'_>,
        recorded: Option<&Fingerprints>,
        object: &BString,
        number: usize,
    ) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let mut states = self.states(call, number, DEBUG)?;
        let mut drift = drift(recorded, &states.old.prints, object);
        let (old_debug, new_debug) = (debug_of(&states.old, &mut answer), debug_of(&states.new, &mut answer));
        if !drift.is_empty() && self.views.shipped.is_none() {
            // Debug information should change no code; where it does, both sides go without.
            states = self.states(call, number, &[])?;
            drift = self::drift(recorded, &states.old.prints, object);
        }
        if let Some(recorded) = recorded.filter(|_| !drift.is_empty() && self.views.shipped.is_none()) {
            self.of_another_day(call, number, (recorded, object), &mut drift, &mut answer.notes);
        }
        if let Some(view) = &self.views.shipped {
            let shipped = self.replay(call, view, (number, "rec"), &[], false);
            let shipped = shipped.map_err(|why| format!("without any patch it {}", verb(&why)))?;
            drift = self::drift(recorded, &shipped.prints, object);
        }
        if let Some(why) = &states.old.not_rewritten {
            // Both sides are as the compiler made them, so that they compare; the recorded object is not.
            let detail = format!(
                "not compared with the recorded object, which was rewritten behind the compiler: {why}"
            );
            drift = vec![Drift { object: object.clone(), symbol: object.clone(), detail }];
        }
        answer.drift = drift;
        answer.read.clone_from(&states.new.inputs);
        answer.notes.append(&mut states.notes);
        let States { old, new, aligned, .. } = states;
        let about = About { object, source: &call.identity().unit.source };
        let mut findings = analysis::compare(&old.prints, &new.prints);
        if let Some(aligned) = &aligned {
            let proved = analysis::compare(&old.prints, &aligned.prints);
            answer.line_only = take_out(&mut findings, &proved, object, Noise::Line);
        }
        let edited = edits::functions(&self.files, &old_debug, &new_debug);
        let is_far = |finding: &Finding| {
            speaks_of_text(finding) && !edited.contains_key(&why::origin(finding.symbol.as_bstr()))
        };
        if findings.iter().any(is_far) && self.uses_counter(&new.inputs) {
            match self.with_counter_kept(call, number) {
                Ok(None) => {}
                Ok(Some(proved)) => {
                    answer.line_only.extend(take_out(&mut findings, &proved, object, Noise::Counter));
                }
                Err(why) => answer.notes.push(format!(
                    "`__COUNTER__` could not be kept, so functions may differ by its value alone: {why}"
                )),
            }
        }
        answer.closed = close(about, &findings);
        let mut indirect = BTreeMap::new();
        for attempt in 0..2 {
            let evidence = Evidence {
                prints: (&old.prints, &new.prints),
                debug: (&old_debug, &new_debug),
                clones: (old.clones.as_ref(), new.clones.as_ref()),
                edited: &edited,
                indirect: &indirect,
            };
            why::explain(&mut answer.closed.functions, &answer.closed.data, &evidence);
            // Macros and types are looked into only where nothing more direct explains all.
            if attempt > 0 || answer.closed.functions.iter().all(is_direct) {
                break;
            }
            indirect = self.indirect(call, number, &[&old.prints, &new.prints], (&old_debug, &new_debug));
        }
        ablation::prove(self, call, number, &mut answer.closed.functions, (&old_debug, &new_debug));
        answer.notes.extend(without_body(&edited, &old_debug, &old.prints, object));
        answer.sides = Some(Sides { old: old.prints, new: new.prints, debug: old_debug });
        Ok(answer)
    }

    /// Functions whose preprocessed text the patch changes from afar; none where that cannot be told.
    fn indirect(
        &self,
        call: &Call<'_>,
        number: usize,
        sides: &[&Fingerprints],
        debug: (&Debug, &Debug),
    ) -> BTreeMap<BString, Indirect> {
        let text = |view, state, edited| {
            call.preprocess(view, &self.scratch.join(format!("{number}-{state}.x")), &[], edited)
        };
        let is_cxx = match call.identity().unit.language {
            Language::C => false,
            Language::Cxx => true,
            _ => return BTreeMap::new(),
        };
        let views = (&self.views.old, &self.views.new);
        let (Ok(old), Ok(new)) = (text(views.0, "old", None), text(views.1, "new", Some(&self.edited)))
        else {
            return BTreeMap::new();
        };
        let places = (places(debug.0), places(debug.1));
        let symbols = |view: &View, places: &Places, function: &Defined<'_>| -> Vec<BString> {
            let file = absolute(&view.path(call.directory()), replay::path(function.file));
            places.get(&(view.recorded(&file), function.line)).cloned().unwrap_or_default()
        };
        let of_old = |function: &Defined<'_>| symbols(views.0, &places.0, function);
        let of_new = |function: &Defined<'_>| symbols(views.1, &places.1, function);
        let (old, new) =
            (Text { text: &old, is_cxx, symbols: &of_old }, Text { text: &new, is_cxx, symbols: &of_new });
        indirect::functions(old, new, &self.files, &|name| {
            let mut items = sides.iter().flat_map(|side| &side.items);
            items.any(|item| item.kind == Kind::Function && item.is_called(name))
        })
    }

    fn states(&self, call: &Call<'_>, number: usize, extra: &[&str]) -> Result<States, String> {
        let old = || self.replay(call, &self.views.old, (number, "old"), extra, false);
        let new = || self.replay(call, &self.views.new, (number, "new"), extra, true);
        let aligned = || {
            let view = self.views.aligned.as_ref()?;
            Some(self.replay(call, view, (number, "aligned"), &[], true))
        };
        let (old, (new, aligned)) = rayon::join(old, || rayon::join(new, aligned));
        let old = old.map_err(|why| format!("without the patch it {}", verb(&why)))?;
        let new = new.map_err(|why| format!("with the patch it {}", verb(&why)))?;
        let mut notes = Vec::new();
        let aligned = match aligned {
            Some(Ok(aligned)) => Some(aligned),
            // `#line` was not legal in all places: the plain text is compared, and lines are not told apart.
            Some(Err(why)) => {
                notes.push(format!(
                    "line numbers could not be kept, so line-only changes are not told apart: {why}"
                ));
                None
            }
            None => None,
        };
        Ok(States { old, new, aligned, notes })
    }

    /// One replay in one view.
    pub fn replay(
        &self,
        call: &Call<'_>,
        view: &View,
        (number, state): (usize, &str),
        extra: &[&str],
        is_patched: bool,
    ) -> Result<Replayed, String> {
        let aside = self.scratch.join(format!("{number}-{state}.x"));
        call.run(view, &aside, Wish { extra, edited: is_patched.then_some(&self.edited), stamp: None })
    }
}

/// Names of functions by file and line.
type Places = HashMap<(PathBuf, u64), Vec<BString>>;

fn places(debug: &Debug) -> Places {
    let mut places = Places::new();
    for written in &debug.written {
        let file = absolute(Path::new("/"), replay::path(&written.file));
        places.entry((file, written.line)).or_default().push(written.name.clone());
    }
    places
}

fn debug_of(replayed: &Replayed, answer: &mut Answer) -> Debug {
    debug::read(&replayed.object).unwrap_or_else(|why| {
        let said = "its debug information cannot be read, so that inlining is not told";
        answer.notes.push(format!("{said}: {why}"));
        Debug::default()
    })
}

/// The replays of one unit.
struct States {
    old: Replayed,
    new: Replayed,
    aligned: Option<Replayed>,
    notes: Vec<String>,
}

fn verb(why: &str) -> String {
    if why.starts_with("does ") { why.to_owned() } else { format!("cannot be replayed: {why}") }
}

/// Takes out of `findings` what no longer differs once lines are numbered as before, or the counter is: `proved` is what still does.
/// What differs only then is an accident of the neighbourhood, for the text that is built is the plain one.
fn take_out(
    findings: &mut Vec<Finding>,
    proved: &[Finding],
    object: &BString,
    noise: Noise,
) -> Vec<LineOnly> {
    let names = |finding: &Finding| -> Vec<BString> {
        match (&finding.old, &finding.new) {
            (Some(old), _) => vec![old.symbol.clone()],
            // A clone that only one side has may have got another number.
            (None, Some(new)) => vec![why::origin(new.symbol.as_bstr())],
            (None, None) => vec![finding.symbol.clone()],
        }
    };
    let still: BTreeSet<(FindingKind, Vec<BString>)> =
        proved.iter().map(|finding| (finding.kind, names(finding))).collect();
    let mut taken = Vec::new();
    findings.retain(|finding| {
        let keep = !speaks_of_text(finding) || still.contains(&(finding.kind, names(finding)));
        if !keep {
            taken.push(LineOnly { object: object.clone(), symbol: finding.symbol.clone(), noise });
        }
        keep
    });
    taken
}

/// Whether a finding is about what the text of a function or a datum decides.
fn speaks_of_text(finding: &Finding) -> bool {
    is_body(finding) || finding.kind == FindingKind::Data
}

/// Whether a function's reasons are direct ones.
fn is_direct(function: &Function) -> bool {
    let direct = |why: &Why| !matches!(why.kind, WhyKind::Caller | WhyKind::Sibling | WhyKind::Unexplained);
    function.why.iter().any(direct)
}

/// Whether a finding is about what a function does.
fn is_body(finding: &Finding) -> bool {
    finding.kind == FindingKind::Function
        && matches!(finding.change, Change::Changed | Change::New | Change::Removed)
}

/// What the unpatched replay made otherwise than the recorded build.
pub fn drift(recorded: Option<&Fingerprints>, replayed: &Fingerprints, object: &BString) -> Vec<Drift> {
    let Some(recorded) = recorded else { return Vec::new() };
    let drift = |symbol: BString, detail: String| Drift { object: object.clone(), symbol, detail };
    if recorded.recipe != RECIPE {
        let detail = format!("recorded by recipe {}, this lpcc has {RECIPE}: not compared", recorded.recipe);
        return vec![drift(object.clone(), detail)];
    }
    analysis::compare(recorded, replayed)
        .into_iter()
        .map(|finding| {
            let parts: Vec<_> = finding.parts.iter().map(|part| part.as_str()).collect();
            let detail =
                format!("{} {} {}", finding.kind.as_str(), finding.change.as_str(), parts.join(", "));
            let detail = [detail.trim(), finding.detail.as_str()].join(" ");
            drift(finding.symbol, detail.trim().to_owned())
        })
        .collect()
}

/// Edited functions that the running object has no body of: there is nothing to hook, their copies are elsewhere.
fn without_body(
    edited: &BTreeMap<BString, String>,
    debug: &Debug,
    old: &Fingerprints,
    object: &BString,
) -> Vec<String> {
    let has_body = |name: &BString| {
        debug.functions.iter().any(|function| function.name == *name)
            || old.items.iter().any(|item| item.kind == Kind::Function && item.is_called(name))
    };
    let holders = |name: &BString| -> Vec<String> {
        let holds =
            debug.functions.iter().filter(|holder| holder.inlined.iter().flatten().any(|it| it == name));
        holds.filter_map(|holder| holder.symbols.first()).map(ToString::to_string).collect()
    };
    edited
        .keys()
        .filter(|name| debug.written.iter().any(|written| written.name == **name) && !has_body(name))
        .map(|name| match holders(name).as_slice() {
            [] => format!("{name} is edited and was never emitted in {object}: nothing there runs it"),
            holders => format!(
                "{name} is edited and has no body of its own in {object}: inlined into {}",
                holders.join(", ")
            ),
        })
        .collect()
}

/// Verdicts for a unit's functions, once the rest of the recording is known as far as it matters.
pub fn judge(answer: &mut Answer, object: &BString, target: Target, neighbours: &Neighbours) {
    if let Some(sides) = &answer.sides {
        let unit = judge::Unit { object, old: &sides.old, new: &sides.new, debug: &sides.debug, neighbours };
        judge::judge(&mut answer.closed.functions, target, &unit);
    }
}

/// Whether a verdict asks for the rest of the recording: other callers, other functions of the name.
pub fn asks_for_neighbours(answer: &Answer) -> bool {
    answer.closed.functions.iter().any(|function| function.change == FunctionChange::Changed)
}

/// A path as an object's name.
pub fn name_of(output: &Path, below: &Path) -> BString {
    let name = output.strip_prefix(below).unwrap_or(output);
    std::os::unix::ffi::OsStrExt::as_bytes(name.as_os_str()).as_bstr().into()
}
