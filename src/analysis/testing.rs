//! Fingerprints made by hand for the unit tests of this folder.

use crate::object::{
    Basis, Fingerprints, Hash, Image, Item, Kind, Part, PartKind, Reference, Scope, StreamRange, Traits,
    fingerprint::RECIPE,
};

/// Wraps items into the fingerprints of an x86-64 relocatable object.
pub fn object(items: Vec<Item>) -> Fingerprints {
    Fingerprints {
        recipe: RECIPE,
        image: Image { machine: 62, file_type: 1, bits: 64, little_endian: true, flags: 0, build_id: None },
        basis: Basis::Exact,
        files: Vec::new(),
        items,
        streams: Vec::new(),
    }
}

/// An item with one main part whose hash is that of `body`.
pub fn item(kind: Kind, name: &str, body: &str) -> Item {
    let main = if kind == Kind::Function { PartKind::Code } else { PartKind::Content };
    Item {
        kind,
        name: name.into(),
        aliases: Box::default(),
        scope: if name.contains('.') { Scope::Local(None) } else { Scope::Global },
        section: if kind == Kind::Function { ".text" } else { ".data" }.into(),
        address: 0,
        size: 4,
        parts: [part(main, body)].into(),
        references: Box::default(),
        traits: Traits { instructions: 20, ..Traits::default() },
    }
}

/// A function.
pub fn function(name: &str, body: &str, references: &[u32]) -> Item {
    let mut made = item(Kind::Function, name, body);
    made.references = references.iter().map(|&index| Reference::Item(index)).collect();
    made
}

/// A datum.
pub fn data(name: &str, content: &str) -> Item {
    item(Kind::Data, name, content)
}

/// A part without a stream.
pub fn part(kind: PartKind, body: &str) -> Part {
    Part { kind, hash: Hash::of(body.as_bytes()), stream: StreamRange::default() }
}

/// Gives an item one more part.
pub fn add_part(item: &mut Item, part: Part) {
    item.parts = [&*item.parts, &[part]].concat().into();
}
