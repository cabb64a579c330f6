//! Records to test with: a small one, a large and realistic one, and any.

#![allow(
    dead_code,
    clippy::indexing_slicing,
    reason = "each test binary uses its own part; a panic is a failure"
)]

use bstr::BString;
use lpcc::argv::Language;
use lpcc::object::{
    Basis, Fingerprints, Hash, Hook, Image, Item, Kind, Part, PartKind, Reference, Scope, StreamRange, Traits,
};
use lpcc::policy::{Action, Decision};
use lpcc::store::record::{
    Call, Compiler, Completeness, Family, Input, Inputs, LinkRecord, Outcome, Record, Unit, Variant,
};

/// Numbers that look random and are the same in every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

pub fn call() -> Call {
    let text = |words: &str| words.split(' ').map(BString::from).collect::<Vec<_>>();
    Call {
        given: text("-O2 -g -Wall -Iinclude -DNAME=\"a\" -c src/a.c -o a.o"),
        run: text("-O2 -g -Wall -Iinclude -DNAME=\"a\" -c src/a.c -o a.o"),
        response_files: vec![("@args".into(), "-DX\n".into())],
        launchers: vec!["/usr/bin/ccache".into()],
        directory: "/build".into(),
        environment: vec![("CPATH".into(), b"/opt/\xff/include".into())],
    }
}

/// A record of the object at `output` with `functions` functions, whose parts have the sizes and the entropy of
/// real ones.
pub fn record(output: &[u8], functions: u32, seed: u64) -> Record {
    let prints = fingerprints(functions, seed);
    let hash = Hash::of(&seed.to_le_bytes());
    let input = |n: u32| Input {
        path: format!("include/linux/header_{n}.h").into(),
        hash: Some(Hash::of(&n.to_le_bytes())),
    };
    Record {
        unit: Unit { source: "src/a.c".into(), output: output.into(), language: Language::C },
        call: call(),
        compiler: Compiler {
            path: "/usr/bin/gcc".into(),
            family: Family::Gcc,
            version: "12.2.0".into(),
            target: "x86_64-linux-gnu".into(),
            programs: vec![
                ("/usr/bin/gcc".into(), Hash::of(b"gcc")),
                ("/usr/lib/cc1".into(), Hash::of(b"cc1")),
            ],
        },
        decision: Decision { action: Action::Keep, reason: "default".into(), live_patching: None },
        inputs: Inputs { completeness: Completeness::Full, files: (0..200).map(input).collect() },
        variants: vec![Variant {
            name: "primary".into(),
            hash,
            size: 1000,
            fingerprints: Outcome::Read(prints),
        }],
        notes: vec!["a remark".into()],
        shadows: Vec::new(),
        rewriters: vec![vec!["./tools/objtool/objtool".into(), "--orc".into(), "a.o".into()]],
        clones: Some("Callgraph clone;f;1;a.c;1;1;g;2;a.c;2;1;inlining to\n".into()),
    }
}

pub fn link(output: &[u8]) -> LinkRecord {
    LinkRecord {
        output: output.into(),
        build_id: Some(b"\x01\x02\xff".into()),
        hash: Some(Hash::of(b"linked")),
        inputs: vec!["a.o".into(), "libz.a".into()],
        without_object: vec!["b.c".into()],
        call: call(),
    }
}

fn fingerprints(functions: u32, seed: u64) -> Fingerprints {
    let mut numbers = Numbers(seed);
    let mut streams = Vec::new();
    let mut items = Vec::new();
    for n in 0..functions {
        let instructions = 8 + numbers.below(80) as u32;
        let parts = [
            (PartKind::Code, instructions * 9),
            (PartKind::References, instructions * 3),
            (PartKind::Strings, 20),
            (PartKind::Unwinding, 24),
            (PartKind::Attributes, 16),
        ];
        let parts = parts.into_iter().map(|(kind, length)| {
            let start = streams.len();
            // Machine code is repetitive: few opcodes, small operands, a rare wide one.
            for _ in 0..length / 4 {
                let wide = numbers.below(6) == 0;
                let word = if wide { numbers.next() as u32 } else { numbers.below(48) as u32 * 0x0101 };
                streams.extend_from_slice(&word.to_le_bytes());
            }
            let stream = StreamRange { start: start as u32, len: (streams.len() - start) as u32 };
            Part { kind, hash: Hash::of(&streams[start..]), stream }
        });
        let parts = parts.collect();
        let layout = StreamRange { start: streams.len() as u32, len: instructions };
        streams.extend((0..instructions).map(|_| 1 + numbers.below(7) as u8));
        let name = BString::from(format!("subsystem_operation_{:x}", numbers.below(1 << 24)));
        items.push(Item {
            kind: Kind::Function,
            name,
            aliases: Box::default(),
            scope: if n % 3 == 0 { Scope::Local(Some("a.c".into())) } else { Scope::Global },
            section: ".text".into(),
            address: u64::from(n) * 300,
            size: 250,
            parts,
            references: (0..numbers.below(6)).map(|_| Reference::Item(numbers.below(1500) as u32)).collect(),
            traits: Traits { hook: Hook::Fentry, instructions, layout, ..Traits::default() },
        });
    }
    let image = Image { machine: 62, file_type: 1, bits: 64, little_endian: true, flags: 0, build_id: None };
    Fingerprints { recipe: 1, image, basis: Basis::Exact, files: Vec::new(), items, streams }
}
