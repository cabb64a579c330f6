//! One real project, built with and without lpcc in the same folder, edited, and asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::assembler::{self, Functions};
use super::findings::{self, Finding};
use super::{Scratch, command, compiler, copy_tree, lpcc, objects, program, source, succeed};

/// How a project is put together.
pub struct Recipe {
    /// The distribution's source package.
    pub package: &'static str,
    /// A shell script run in the tree before the build, `$CC` being the bare compiler.
    pub prepare: &'static str,
    /// The folder of the tree in which make runs.
    pub folder: &'static str,
    /// What make is given besides `CC`.
    pub make: &'static [&'static str],
}

/// How lpcc gets between make and the compiler.
#[derive(Clone, Copy)]
pub enum Form {
    /// `make CC="lpcc gcc"`.
    Named,
    /// `make CC=lpcc` with the compiler in `LPCC_CC`.
    ByVariable,
    /// `make CC=gcc` with a shim of that name first on PATH.
    Shim,
}

/// A prepared tree with its store.
pub struct Project {
    scratch: Scratch,
    recipe: &'static Recipe,
    compiler: &'static str,
    form: Form,
    /// Output of the last build without lpcc: its compile commands are the oracle's.
    commands: String,
}

impl Project {
    /// Fetches and prepares; `None`, said visibly, where the source cannot be had.
    pub fn prepare(recipe: &'static Recipe, compiler_name: &'static str, form: Form) -> Option<Self> {
        let scratch = Scratch::new(&format!("{}-{compiler_name}", recipe.package));
        source(recipe.package, &scratch.join("tree"))?;
        let project = Self { scratch, recipe, compiler: compiler_name, form, commands: String::new() };
        succeed(
            command(program("sh")?, &project.tree(), &project.store())
                .arg("-ec")
                .arg(recipe.prepare)
                .env("CC", compiler(compiler_name)),
        );
        copy_tree(&project.tree(), &project.scratch.join("pristine"));
        if matches!(form, Form::Shim) {
            succeed(project.lpcc(&["shims"]).arg(project.scratch.join("shims")));
        }
        Some(project)
    }

    /// The tree in which both builds run, one after the other: paths are part of what a compiler sees.
    pub fn tree(&self) -> PathBuf {
        self.scratch.join("tree")
    }

    /// Where make runs.
    pub fn folder(&self) -> PathBuf {
        self.tree().join(self.recipe.folder)
    }

    pub fn store(&self) -> PathBuf {
        self.scratch.join("store")
    }

    /// Gives the tree back as it was after `prepare`.
    pub fn restore(&self) {
        fs::remove_dir_all(self.tree()).unwrap();
        copy_tree(&self.scratch.join("pristine"), &self.tree());
    }

    /// Builds without lpcc; the objects it leaves.
    pub fn build_bare(&mut self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut make = command("make", &self.folder(), &self.store());
        make.arg("-j8").args(self.recipe.make).arg(format!("CC={}", compiler(self.compiler).display()));
        self.commands = String::from_utf8(succeed(&mut make).stdout).unwrap();
        objects(&self.tree())
    }

    /// Builds with lpcc; the objects it leaves, and what make printed.
    pub fn build(&self) -> (BTreeMap<PathBuf, Vec<u8>>, Output) {
        let mut make = command("make", &self.folder(), &self.store());
        make.arg("-j8").args(self.recipe.make);
        match self.form {
            Form::Named => make.arg(format!("CC={} {}", lpcc().display(), self.compiler)),
            Form::ByVariable => {
                make.arg(format!("CC={}", lpcc().display())).env("LPCC_CC", compiler(self.compiler))
            }
            Form::Shim => {
                let mut path = self.scratch.join("shims").into_os_string();
                path.push(":");
                path.push(super::variable("PATH").unwrap());
                make.arg(format!("CC={}", self.compiler)).env("PATH", path)
            }
        };
        let output = succeed(&mut make);
        (objects(&self.tree()), output)
    }

    /// `lpcc` with these arguments, in the folder of the build.
    pub fn lpcc(&self, arguments: &[&str]) -> Command {
        let mut command = command(lpcc(), &self.folder(), &self.store());
        command.args(arguments);
        command
    }

    /// Fixes the current state of the store under a name.
    #[track_caller]
    pub fn snapshot(&self, name: &str) {
        succeed(&mut self.lpcc(&["store", "snapshot", name]));
    }

    /// `lpcc diff OLD NEW --format json`: the findings and the exit status.
    #[track_caller]
    pub fn diff(&self, old: &str, new: &str) -> (Vec<Finding>, i32) {
        let output = self.lpcc(&["diff", "--format", "json", old, new]).output().unwrap();
        let status = output.status.code().expect("lpcc diff was killed");
        assert!(status <= 1, "lpcc diff: {}", String::from_utf8_lossy(&output.stderr));
        (findings::parse(&output.stdout), status)
    }

    /// The assembler text of one source, by the bare compiler with the arguments that make gave it.
    pub fn assembler(&self, source: &str) -> Functions {
        let call = self
            .commands
            .lines()
            .map(|line| line.trim_start_matches("libtool: compile:").trim())
            .find(|line| line.contains(" -c ") && line.contains(source) && !line.starts_with("./libtool"))
            .unwrap_or_else(|| panic!("make printed no command for {source}:\n{}", self.commands));
        let mut words = Vec::new();
        let mut rest = call.split_whitespace();
        while let Some(word) = rest.next() {
            match word {
                "-c" => words.push("-S"),
                "-o" => drop(rest.next()),
                _ => words.push(word),
            }
        }
        // Through a shell, as make does: the arguments may be quoted.
        let line = format!("{} -o {}", words.join(" "), self.scratch.join("oracle.s").display());
        succeed(command("sh", &self.folder(), &self.store()).arg("-c").arg(line));
        assembler::functions(&fs::read_to_string(self.scratch.join("oracle.s")).unwrap())
    }
}

/// Names the objects that findings are about, by their file names.
pub fn objects_with_findings(findings: &[Finding]) -> BTreeSet<String> {
    findings
        .iter()
        .filter(|finding| finding.kind != "input")
        .map(|finding| {
            let object = Path::new(&finding.object);
            object.file_name().unwrap_or(object.as_os_str()).to_string_lossy().into_owned()
        })
        .collect()
}
