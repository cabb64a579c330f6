//! What is written is what is read: for any record, and for no other bytes.

mod store_support;

use bstr::{BStr, BString, ByteSlice};
use lpcc::argv::Language;
use lpcc::object::shared::SharedName;
use lpcc::object::{
    Basis, Fingerprints, Hash, Image, Item, Kind, Part, PartKind, RareTraits, Reference, Scope, StreamRange,
    Traits,
};
use lpcc::policy::{Action, Decision};
use lpcc::store::container::{Builder, Container, ENTRY, HEAD, MAGIC, VERSION, Version};
use lpcc::store::format::{encode, encode_link, encode_note, read_link, read_note, record_builder};
use lpcc::store::record::{
    Call, Compiler, Completeness, Family, Input, Inputs, Outcome, Record, ShadowCall, Unit, Variant,
};
use lpcc::store::{FormatError, Note, NoteKind, RecordFile, Want, read_record};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = BString> {
    vec(any::<u8>(), 0..20).prop_map(BString::from)
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn range() -> impl Strategy<Value = StreamRange> {
    any::<(u32, u32)>().prop_map(|(start, len)| StreamRange { start, len })
}

prop_compose! {
    fn call()(
        given in vec(bytes(), 0..6),
        run in vec(bytes(), 0..6),
        response_files in vec((bytes(), bytes()), 0..3),
        launchers in vec(bytes(), 0..3),
        directory in bytes(),
        environment in vec((bytes(), bytes()), 0..3),
    ) -> Call {
        Call { given, run, response_files, launchers, directory, environment }
    }
}

fn shared(name: &BStr) -> SharedName {
    name.as_bytes().into()
}

prop_compose! {
    fn item()(
        name in bytes(),
        aliases in vec(bytes(), 0..3),
        scope in prop_oneof![Just(Scope::Global), Just(Scope::Weak), Just(Scope::None), option::of(bytes()).prop_map(|file| Scope::Local(file.map(|file| shared(file.as_bstr()))))],
        section in bytes(),
        (address, size, instructions) in any::<(u64, u64, u32)>(),
        parts in vec((hash(), range()), 0..4),
        references in vec(prop_oneof![any::<u32>().prop_map(Reference::Item), bytes().prop_map(Reference::External)], 0..4),
        origin in option::of(bytes()),
        cold in option::of((bytes(), any::<u64>(), any::<u64>())),
        layout in range(),
    ) -> Item {
        let parts = parts.into_iter().map(|(hash, stream)| Part { kind: PartKind::Sites, hash, stream }).collect();
        let (aliases, references, section) = (aliases.into(), references.into(), shared(section.as_bstr()));
        let rare = (origin.is_some() || cold.is_some())
            .then(|| Box::new(RareTraits { origin, cold, perhaps: Vec::new() }));
        let traits = Traits { instructions, rare, layout, ..Traits::default() };
        Item { kind: Kind::Data, name, aliases, scope, section, address, size, parts, references, traits }
    }
}

prop_compose! {
    fn fingerprints()(
        items in vec(item(), 0..5),
        streams in prop_oneof![vec(any::<u8>(), 0..300), vec(0..3_u8, 0..3000)],
        basis in prop_oneof![Just(Basis::Exact), ".*".prop_map(Basis::Deferred), vec(".*", 0..3).prop_map(Basis::Conservative)],
        build_id in option::of(bytes()),
    ) -> Fingerprints {
        let image = Image { machine: 183, file_type: 1, bits: 64, little_endian: true, flags: 7, build_id };
        Fingerprints { recipe: 1, image, basis, files: Vec::new(), items, streams }
    }
}

prop_compose! {
    fn variant()(
        name in ".{0,8}",
        hash in hash(),
        size in any::<u64>(),
        fingerprints in prop_oneof![
            3 => fingerprints().prop_map(Outcome::Read),
            1 => ".*".prop_map(Outcome::Unreadable),
        ],
    ) -> Variant {
        Variant { name, hash, size, fingerprints }
    }
}

prop_compose! {
    fn record()(
        (source, output, compiler) in (bytes(), bytes(), bytes()),
        call in call(),
        programs in vec((bytes(), hash()), 0..3),
        reason in ".*",
        live_patching in option::of(".*"),
        files in vec((bytes(), option::of(hash())), 0..8),
        partial in option::of(".*"),
        mut variants in vec(variant(), 0..3),
        twin in any::<bool>(),
        notes in vec(".*", 0..3),
        clones in option::of(bytes()),
    ) -> Record {
        if let Some(primary) = variants.first().cloned().filter(|_| twin) {
            variants.push(Variant { name: "same".into(), ..primary });
        }
        let shadow = |variant: &Variant| ShadowCall { run: vec![variant.name.clone().into()], compiler: None, inputs: Vec::new() };
        let shadows = variants.iter().skip(1).map(shadow).collect();
        let files = files.into_iter().map(|(path, hash)| Input { path, hash }).collect();
        Record {
            unit: Unit { source, output, language: Language::Cxx },
            call,
            compiler: Compiler {
                path: compiler,
                family: Family::Clang,
                version: "14.0.6".into(),
                target: "t".into(),
                programs,
            },
            decision: Decision { action: Action::Keep, reason, live_patching },
            inputs: Inputs { completeness: partial.map_or(Completeness::Full, Completeness::Partial), files },
            variants,
            rewriters: notes.iter().map(|note| vec![note.clone().into()]).collect(),
            notes,
            shadows,
            clones,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_comes_back(record in record()) {
        let file = encode(&record).unwrap();
        prop_assert_eq!(&encode(&record).unwrap(), &file, "the same record is the same bytes");
        prop_assert_eq!(&read_record(&file, Want::Everything).unwrap(), &record);

        let mut without_streams = record;
        for variant in &mut without_streams.variants {
            if let Outcome::Read(prints) = &mut variant.fingerprints {
                prints.streams.clear();
            }
        }
        prop_assert_eq!(read_record(&file, Want::Fingerprints).unwrap(), without_streams);
    }

    #[test]
    fn no_flipped_bit_is_believed(record in record(), place in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut file = encode(&record).unwrap();
        let place = place.index(file.len());
        file[place] ^= 1 << bit;
        prop_assert!(read_record(&file, Want::Everything).is_err(), "bit {bit} of byte {place}");
    }

    #[test]
    fn no_other_length_is_believed(record in record(), cut in any::<prop::sample::Index>(), more in vec(any::<u8>(), 1..9)) {
        let file = encode(&record).unwrap();
        prop_assert!(read_record(&file[..cut.index(file.len())], Want::Fingerprints).is_err());
        let longer = [file.as_slice(), more.as_slice()].concat();
        prop_assert!(read_record(&longer, Want::Fingerprints).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_panic(tail in vec(any::<u8>(), 0..400), count in 0..4_u32) {
        let head = [MAGIC.as_slice(), &[1, 0, 0, 0], &count.to_le_bytes()].concat();
        let _ = read_record(&[head.as_slice(), tail.as_slice()].concat(), Want::Everything);
        let _ = read_record(&tail, Want::Everything);
    }

    /// The hashes are right, the contents are not: what a forger would write.
    #[test]
    fn well_hashed_nonsense_is_read_without_panic(contents in vec(any::<u8>(), 0..400)) {
        for tags in [[*b"UNIT", *b"INPT"], [*b"LINK", *b"NOTE"]] {
            let mut builder = Builder::default();
            for tag in tags {
                builder.section(tag, 0, contents.clone()).unwrap();
            }
            let file = builder.finish();
            let _ = read_record(&file, Want::Everything);
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.lpcc");
            std::fs::write(&path, &file).unwrap();
            let _ = (read_link(&path), read_note(&path));
        }
    }
}

/// Every single bit of one small record, not a sample of them.
#[test]
fn every_flipped_bit_and_every_truncation_is_found() {
    let mut record = store_support::record(b"/build/a.o", 1, 1);
    record.inputs.files.truncate(2);
    let file = encode(&record).unwrap();
    for place in 0..file.len() {
        for bit in 0..8 {
            let mut other = file.clone();
            other[place] ^= 1 << bit;
            assert!(read_record(&other, Want::Everything).is_err(), "bit {bit} of byte {place}");
        }
        assert!(read_record(&file[..place], Want::Everything).is_err(), "cut at {place}");
    }
}

/// The same through files and lazy reading, where whatever is read must be whole.
#[test]
fn a_damaged_section_is_found_by_whoever_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.lpcc");
    let with_dump = store_support::record(b"/build/a.o", 300, 1);
    let mut file = encode(&with_dump).unwrap();
    let last = file.len() - 1;
    file[last] ^= 1;
    std::fs::write(&path, &file).unwrap();
    let lazy = RecordFile::open(&path).unwrap();
    assert_eq!(lazy.clones(), Err(FormatError::Damaged("section CLON has another hash".into())));

    let record = Record { clones: None, rewriters: Vec::new(), ..with_dump };
    let mut file = encode(&record).unwrap();
    let last = file.len() - 1;
    file[last] ^= 1;
    std::fs::write(&path, &file).unwrap();

    let lazy = RecordFile::open(&path).unwrap();
    assert_eq!(lazy.identity().unwrap().unit, record.unit);
    let mut prints = lazy.fingerprints(0).unwrap();
    assert_eq!(
        lazy.load_streams(0, &mut prints),
        Err(FormatError::Damaged("section STRM has another hash".into()))
    );
    assert!(lazy.container().check_all().is_err());
    assert!(lazy.fingerprints(1).is_err());
    assert!(lazy.fingerprints(70_000).is_err());
}

#[test]
fn a_file_replaced_between_two_reads_is_told_from_a_damaged_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.lpcc");
    for later in [
        encode(&store_support::record(b"/build/a.o", 300, 2)).unwrap(),
        encode(&store_support::record(b"/b", 0, 2)).unwrap(),
    ] {
        std::fs::write(&path, encode(&store_support::record(b"/build/a.o", 300, 1)).unwrap()).unwrap();
        let lazy = RecordFile::open(&path).unwrap();
        std::fs::write(&path, later).unwrap();
        assert_eq!(lazy.fingerprints(0), Err(FormatError::Replaced));
    }
}

#[test]
fn a_newer_minor_version_is_read_and_its_new_sections_are_skipped() {
    let record = store_support::record(b"/build/a.o", 3, 1);
    let mut builder = record_builder(&record).unwrap();
    builder.section(*b"NEW!", 0, b"from the future".to_vec()).unwrap();
    let file = builder.finish_as(Version { minor: VERSION.minor + 1, ..VERSION });
    assert_eq!(read_record(&file, Want::Everything).unwrap(), record);
}

#[test]
fn a_newer_major_version_is_named_and_not_read() {
    let newer = Version { major: VERSION.major + 1, minor: 3 };
    let file = record_builder(&store_support::record(b"/build/a.o", 3, 1)).unwrap().finish_as(newer);
    let error = read_record(&file, Want::Everything).unwrap_err();
    assert_eq!(error, FormatError::Newer(newer));
    assert_eq!(error.to_string(), "written in format 2.3 by a newer lpcc; this one knows 1.0");
}

/// A head with one section whose lengths are lies, correctly hashed.
fn forged(encoding: u8, stored: u64, raw: u64, contents: &[u8]) -> Vec<u8> {
    let front = [MAGIC.as_slice(), &[1, 0, 0, 0], &1_u32.to_le_bytes()].concat();
    let table = [
        b"UNIT".as_slice(),
        &[encoding, 0, 0, 0],
        &stored.to_le_bytes(),
        &raw.to_le_bytes(),
        &Hash::of(contents).0,
    ]
    .concat();
    assert_eq!((front.len() + 32, table.len()), (HEAD, ENTRY));
    let hash = Hash::of(&[front.as_slice(), table.as_slice()].concat());
    [front.as_slice(), &hash.0, &table, contents].concat()
}

#[test]
fn stated_lengths_are_not_promises() {
    let bomb = zstd::bulk::compress(&vec![0; 1 << 26], 1).unwrap();
    assert!(bomb.len() < 1 << 14);
    let length = bomb.len() as u64;
    for (what, file) in [
        ("longer than the file", forged(0, 1 << 40, 1 << 40, b"abc")),
        ("overflowing", forged(0, u64::MAX, u64::MAX, b"abc")),
        ("raw and stored differ without packing", forged(0, 3, 4, b"abc")),
        ("unpacks to more than stated", forged(1, length, 1000, &bomb)),
        ("unpacks to less than stated", forged(1, length, 1 << 29, &bomb)),
        ("states more than is allowed", forged(1, length, 1 << 40, &bomb)),
        ("not packed at all", forged(1, 3, 100, b"abc")),
        ("an unknown encoding", forged(9, 3, 100, b"abc")),
        ("a vector of 2^60 elements", forged(0, 10, 10, b"\xff\xff\xff\xff\xff\xff\xff\xff\x0f\x00")),
    ] {
        assert!(matches!(read_record(&file, Want::Everything), Err(FormatError::Damaged(_))), "{what}");
    }
    let mut many = forged(0, 3, 3, b"abc");
    many[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read_record(&many, Want::Everything), Err(FormatError::Damaged(_))));
}

/// Behind the hashes anything may stand: what is shown of it is shown, whatever it says of width and numbers.
#[test]
fn listings_believe_no_record() {
    let mut record = store_support::record(b"/a.o", 1, 1);
    let Outcome::Read(prints) = &mut record.variants[0].fingerprints else { panic!("made so") };
    // An instruction of one byte; twice a reference from the last instruction of all to a place in the function.
    let last = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 4, 1, 0];
    let streams = [&[1, 0x90][..], &last, &last].concat();
    let part = |kind, start, len| Part { kind, hash: Hash([0; 32]), stream: StreamRange { start, len } };
    prints.items[0].parts = [part(PartKind::Code, 0, 2), part(PartKind::References, 2, 20)].into();
    prints.items[0].traits.layout = StreamRange { start: u32::MAX, len: u32::MAX };
    prints.streams = streams;
    for (bits, code) in [(64, "nop"), (16, "nop"), (7, "90"), (0, "90"), (255, "90")] {
        let Outcome::Read(prints) = &mut record.variants[0].fingerprints else { panic!("made so") };
        prints.image.bits = bits;
        let read = read_record(&encode(&record).unwrap(), Want::Everything).unwrap();
        let Outcome::Read(prints) = &read.variants[0].fingerprints else { panic!("made so") };
        let lines = |part| {
            let lines = lpcc::object::listing::lines(prints, &prints.items[0], part);
            lines.into_iter().map(|line| (line.index, line.text)).collect::<Vec<_>>()
        };
        assert_eq!(lines(PartKind::Code), [(0, code.to_owned())], "{bits} bits");
        let references = lines(PartKind::References);
        assert!(references.len() == 2 && references.iter().all(|(index, _)| *index == u32::MAX));
    }
}

#[test]
fn sections_may_not_stand_twice() {
    let mut builder = Builder::default();
    builder.section(*b"UNIT", 0, vec![1]).unwrap().section(*b"UNIT", 0, vec![2]).unwrap();
    assert!(matches!(Container::from_bytes(builder.finish()), Err(FormatError::Damaged(_))));
}

#[test]
fn links_and_notes_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.lpcc");
    let link = store_support::link(b"/build/prog\xff\n");
    std::fs::write(&path, encode_link(&link).unwrap()).unwrap();
    assert_eq!(read_link(&path).unwrap(), link);
    assert!(read_note(&path).is_err(), "a link is no note");

    let note = Note {
        kind: NoteKind::NotRecorded,
        source: Some("a.c".into()),
        output: None,
        reason: "no output".into(),
        call: Some(store_support::call()),
    };
    std::fs::write(&path, encode_note(&note).unwrap()).unwrap();
    assert_eq!(read_note(&path).unwrap(), note);
}

/// The documented bytes of the smallest file, so that a change of the format cannot go unnoticed.
#[test]
fn the_envelope_is_as_documented() {
    let mut builder = Builder::default();
    builder.section(*b"NOTE", 2, b"hello".to_vec()).unwrap();
    let file = builder.finish();
    assert_eq!(file, forged_note());
}

fn forged_note() -> Vec<u8> {
    let front = b"\x89LPCC\r\n\x1a\x01\x00\x00\x00\x01\x00\x00\x00";
    let table = [
        b"NOTE\x00\x00\x02\x00\x05\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0".as_slice(),
        blake3::hash(b"hello").as_bytes(),
    ]
    .concat();
    let hash = blake3::hash(&[front.as_slice(), &table].concat());
    [front.as_slice(), hash.as_bytes(), &table, b"hello"].concat()
}
