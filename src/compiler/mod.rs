//! The real compiler: found on PATH, never oneself; who it is, probed once and cached.

pub mod find;
pub mod guard;
pub mod identity;
