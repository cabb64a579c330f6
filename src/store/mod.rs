//! What is kept of a build: layout of the store, format of a record, writing, reading, verifying.

pub mod record;
