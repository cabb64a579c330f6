//! `lpcc generate`: print the man page or shell completions, made from the command definitions.

use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::cli::Cli;
use crate::report::output;

/// Print the man page or shell completions.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(value_enum)]
    what: What,
}

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The man page, for `man1/lpcc.1`.
    Man,
    /// Completions for bash.
    Bash,
    /// Completions for zsh.
    Zsh,
    /// Completions for fish.
    Fish,
}

/// Runs the command.
pub fn main(args: &Args) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    match args.what {
        What::Man => man(&mut bytes).context("cannot write the man page")?,
        What::Bash => complete(Shell::Bash, &mut bytes),
        What::Zsh => complete(Shell::Zsh, &mut bytes),
        What::Fish => complete(Shell::Fish, &mut bytes),
    }
    output::print(&String::from_utf8_lossy(&bytes))?;
    Ok(ExitCode::SUCCESS)
}

/// One page for all commands: each command's own description and options as a section of it.
fn man(out: &mut Vec<u8>) -> std::io::Result<()> {
    // Building first fills in what the sections show: usage lines with the program's name in them.
    let mut cli = Cli::command();
    cli.build();
    let page = clap_mangen::Man::new(cli.clone()).source(concat!("lpcc ", env!("CARGO_PKG_VERSION")));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    for command in
        cli.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        out.extend_from_slice(format!(".SH \"LPCC {}\"\n", command.get_name().to_uppercase()).as_bytes());
        let page = clap_mangen::Man::new(command.clone());
        let mut section = Vec::new();
        page.render_synopsis_section(&mut section)?;
        page.render_description_section(&mut section)?;
        page.render_options_section(&mut section)?;
        out.extend_from_slice(&demoted(&section));
    }
    Ok(())
}

/// Turns the sections of a command's own page into subsections of the common one.
fn demoted(section: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(section);
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => out.extend([".SS ", title]),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out.into_bytes()
}

fn complete(shell: Shell, out: &mut Vec<u8>) {
    clap_complete::generate(shell, &mut Cli::command(), "lpcc", out);
}
