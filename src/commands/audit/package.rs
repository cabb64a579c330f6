//! Packages: unpacked aside by the distribution's own tools, so that what is in them can be read.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::store::open_regular;

/// A form of package: what its files begin with, and a command that unpacks standard input, which is one, into the working
/// directory.
struct Form {
    name: &'static str,
    magic: &'static [u8],
    /// Any of these will do, the first that works is taken.
    commands: &'static [&'static str],
    /// What to install.
    hint: &'static str,
}

const FORMS: [Form; 2] = [
    Form {
        name: "Debian package",
        magic: b"!<arch>\ndebian-binary",
        commands: &["dpkg-deb --fsys-tarfile - | tar -x --no-same-owner"],
        hint: "`dpkg-deb`",
    },
    Form {
        name: "RPM package",
        magic: b"\xed\xab\xee\xdb",
        commands: &[
            "rpm2cpio - | cpio -id --quiet --no-absolute-filenames",
            "bsdtar -x --no-same-owner -f -",
        ],
        hint: "`rpm2cpio` and `cpio`, or `bsdtar`",
    },
];

/// The contents of the package at `path`; `None` where it is none. Gone when dropped.
pub fn unpack(path: &Path) -> Option<Result<TempDir, String>> {
    let mut head = Vec::new();
    open_regular(path).ok()?.take(64).read_to_end(&mut head).ok()?;
    let form = FORMS.iter().find(|form| head.starts_with(form.magic))?;
    Some(unpack_as(form, path))
}

fn unpack_as(form: &Form, path: &Path) -> Result<TempDir, String> {
    for command in form.commands {
        let folder = TempDir::new().map_err(|error| format!("no room to unpack it: {error}"))?;
        let package = File::open(path).map_err(|error| error.to_string())?;
        let done = Command::new("/bin/sh")
            // A pipe hides the status of its first command: what unpacked nothing did not work.
            .args(["-c", command])
            .current_dir(folder.path())
            .stdin(package)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let filled = folder.path().read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if filled && done.is_ok_and(|status| status.success()) {
            return Ok(folder);
        }
    }
    Err(format!(
        "this {} could not be unpacked; hint: install {}, or unpack it and name the directory",
        form.name, form.hint
    ))
}
