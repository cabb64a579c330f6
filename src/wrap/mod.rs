//! Face one: a compiler call, so that the build never notices.
//!
//! It fails open, in two stages. Until the compiler has started, any trouble ends in executing it with the
//! arguments given. Once it has ended, all that is left to do is to end as it did: a small object is recorded under
//! a guard that ends this process so whatever happens, a large one in a child process of its own. Nothing that
//! befalls the recording (a damaged object, exhausted memory, a bug) reaches the build.

pub mod apply;
pub mod configuration;
mod decide;
mod inputs;
mod link;
mod log;
mod memory_file;
mod record;
mod retry;
mod run;
mod safety;
mod twice;

use std::ffi::OsString;

pub use decide::Plan;
pub use link::build_id;
pub use record::PRIMARY;
pub use run::{read_response_file, settings};

use crate::compiler::find;
use crate::compiler::guard::Passed;
use crate::env;
use crate::sys;

/// Exit status where no compiler is found, as a shell has it.
const NOT_FOUND: i32 = 127;

/// Whether the program's own name makes this a compiler call, whatever the arguments are.
pub fn is_shim(program: &std::ffi::OsStr) -> bool {
    find::is_compiler(program)
}

/// Serves a compiler call; `argv` is the whole command line of this process.
pub fn main(argv: &[OsString]) -> ! {
    log::start();
    let passed = Passed::from_environment();
    let configuration = configuration::Configuration::here();
    let target = match find::target(argv, &passed, &|own| configuration.compiler(own)) {
        Ok(target) => target,
        Err(error) => run::give_up(&error, NOT_FOUND),
    };
    safety::until_started(&target, &passed);
    let mut job = run::Job::new(target, passed, configuration);
    if passed_by(&job) {
        job.execute();
    }
    apply::apply(&mut job);
    let plan = decide::plan(&job);
    tracing::debug!(program = %job.target.program.display(), ?plan, "compiler call");
    if matches!(plan, Plan::Execute(_)) {
        job.dump = None; // nothing would keep it
    }
    match plan {
        Plan::Execute(_) if job.as_written.is_none() => job.execute(),
        Plan::Execute(_) => sys::end_as(retry::run(&mut job, &mut |_| Vec::new()).ending),
        Plan::Record(work) => record::compile(&mut job, &work),
    }
}

/// Whether nothing at all is to be done with the call.
fn passed_by(job: &run::Job) -> bool {
    job.passed.is_nested() || job.target.compiler.is_none() || env::is_on(env::DISABLE)
}
