//! The real compiler: found on PATH, never oneself; who it is and what it accepts, probed once and cached.

pub mod accepts;
pub mod find;
pub mod guard;
pub mod identity;
pub mod optimizers;
mod usual;
