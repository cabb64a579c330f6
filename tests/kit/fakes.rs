//! Compilers that are not here: scripts that take and refuse what the one they stand for does, in its words, and leave the work
//! to the real one. What each does was seen of GCC 9 to 16, and of SUSE's 4.8, to which the flag was brought back.

use super::{Place, write_script};

/// One of them.
pub struct Fake {
    /// Its path beside the tree.
    pub name: &'static str,
    pub version: &'static str,
    /// Whether it knows the flag.
    pub knows: bool,
    /// The level that it takes beside LTO.
    pub beside_lto: &'static str,
}

pub const FAKES: [Fake; 6] = [
    Fake { name: "suse-4.8/gcc", version: "4.8.5", knows: true, beside_lto: "" },
    Fake { name: "plain-8/gcc", version: "8.5.0", knows: false, beside_lto: "" },
    Fake { name: "nine/gcc", version: "9.3.0", knows: true, beside_lto: "" },
    Fake { name: "ten/gcc", version: "10.5.0", knows: true, beside_lto: "" },
    Fake { name: "thirteen/gcc", version: "13.2.0", knows: true, beside_lto: "inline-clone" },
    Fake { name: "sixteen/gcc", version: "16.2.0", knows: true, beside_lto: "inline-clone" },
];

const SCRIPT: &str = r#"#!/bin/sh
echo "$@" >> "@log@"
say() { printf '%s\n' "$@" >&2; exit 1; }
both='-flive-patching=inline-only-static|inline-clone'
live= lto= any= static=
for word; do case $word in
  --version) echo 'gcc (Fake) @version@'; echo 'Copyright (C) Free Software Foundation, Inc.'; exit;;
  -dumpfullversion) echo @version@; exit;;
  -dumpmachine|-print-prog-name=*) exec /usr/bin/gcc "$word";;
  -fno-live-patching) say "gcc: error: unrecognized command-line option '-fno-live-patching'; did you mean '-flive-patching'?";;
  -flive-patching|-flive-patching=*)
    [ @knows@ = true ] || say "gcc: error: unrecognized command line option '$word'";;
esac; case $word in
  -flive-patching) live=inline-clone;;
  -flive-patching=inline-clone|-flive-patching=inline-only-static) live=${word#*=};;
  -flive-patching=) say "gcc: error: missing argument to '-flive-patching='";;
  -flive-patching=*) say "gcc: error: unknown Live-Patching Level '${word#*=}'" \
    "gcc: note: valid arguments to '-flive-patching=' are: inline-clone inline-only-static";;
  -flto|-flto=*) lto=1;;
  -fno-lto) lto=;;
  -fipa-icf|-fipa-ra|-fipa-pure-const|-fwhole-program) any=$word;;
  -fno-ipa-icf) [ "$any" != -fipa-icf ] || any=;;
  -fipa-sra|-fipa-cp|-fpartial-inlining) static=$word;;
esac; done
if [ "$live" ]; then
  [ -z "$any" ] || say "cc1: error: '$any' is incompatible with '$both'"
  if [ "$live" = inline-only-static ] && [ "$static" ]; then
    say "cc1: error: '$static' is incompatible with '-flive-patching=inline-only-static'"
  fi
  if [ "$lto" ] && [ "$live" != "@beside_lto@" ]; then
    if [ "@beside_lto@" ]; then
      say "cc1: sorry, unimplemented: live patching (with 'inline-only-static') is not supported with LTO"
    fi
    say "cc1: sorry, unimplemented: live patching is not supported with LTO"
  fi
fi
for word; do
  shift
  case $word in -flive-patching*) ;; *) set -- "$@" "$word";; esac
done
exec /usr/bin/gcc "$@"
"#;

impl Fake {
    /// Writes it beside the tree, its calls logged in `log` there; gives its path.
    pub fn lay(&self, place: &Place) -> String {
        let path = place.beside(self.name);
        let text = SCRIPT
            .replace("@log@", &place.beside("log").display().to_string())
            .replace("@version@", self.version)
            .replace("@knows@", if self.knows { "true" } else { "false" })
            .replace("@beside_lto@", self.beside_lto);
        write_script(&path, &text);
        path.into_os_string().into_string().unwrap()
    }
}
