//! The rows, sorted by spelling.

use super::Arg;
use super::Class;
use super::Dep;
use super::Row;
use crate::argv::Action;

const fn both(spelling: &'static [u8], arg: Arg, class: Class) -> Row {
    Row { spelling, gcc: Some(arg), clang: Some(arg), class }
}

/// Every option that matters, sorted by spelling.
pub static TABLE: &[Row] = &[
    both(b"--version", Arg::None, Class::Action(Action::Information)),
    both(b"-D", Arg::Either, Class::Define),
    both(b"-E", Arg::None, Class::Action(Action::Preprocess)),
    both(b"-I", Arg::Either, Class::Input),
    both(b"-MD", Arg::None, Class::Dependency(Dep::Md)),
    both(b"-S", Arg::None, Class::Action(Action::Assembly)),
    both(b"-c", Arg::None, Class::Action(Action::Object)),
    both(b"-flive-patching", Arg::MaybeEquals, Class::LivePatching),
    both(b"-o", Arg::Either, Class::Output),
    both(b"-v", Arg::None, Class::Verbose),
    both(b"-x", Arg::Either, Class::Language),
];
