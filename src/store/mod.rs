//! What is kept of a build: layout of the store, format of a record, writing, reading, verifying.
//!
//! A build runs hundreds of compiler calls at once, any of which may be killed at any moment, on whatever file
//! system the user has. The tempting way, one database with a lock, costs every compile a wait and every kill a
//! repair. So a store is plain files: one file a unit, written aside and renamed, found by the hash of its
//! object's absolute path. The invariant: **a file under its final name is whole, and is never changed in
//! place**. Writers need no lock, snapshots are hard links, and a reader that finds anything else calls it
//! damaged, by name.
//!
//! `locate` says which store; `layout` where things lie in it; `container` and `format` what the bytes are;
//! `write` and `read` do what they say; `hashes` spares hashing the same header a thousand times; `moved` tells an
//! object that was moved from one that is gone; `generated` keeps what the build itself made and read; `snapshots`, `verify` and `gc` look after it all; `export` makes one
//! file of a recording, and reads it where it lies.

pub mod container;
pub mod error;
pub mod export;
pub mod format;
pub mod gc;
pub mod generated;
pub mod hashes;
pub mod kind;
pub mod layout;
pub mod locate;
pub mod moved;
pub mod read;
pub mod record;
pub mod scratch;
pub mod shared;
pub mod snapshots;
pub mod verify;
pub mod write;

pub use error::{Damaged, FormatError, StoreError};
pub use export::{Export, Exported};
pub use format::{Identity, RecordFile, VariantHead, Want, read_record};
pub use gc::{Removal, RemovalReason};
pub use kind::{demand_regular, is_object_file, kind_of_file, open_regular, read_regular};
pub use layout::{ObjectKey, absolute};
pub use locate::locate;
pub use read::{Recording, UnitEntry};
pub use record::{Note, NoteKind};
pub use scratch::Scratch;
pub use shared::is_too_wide;
pub use snapshots::{SnapshotName, SnapshotSummary};
pub use verify::{Problem, Verification};
pub use write::Store;
