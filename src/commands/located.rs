//! Which store a command asks: the one named with `--store`, or the one that a build here would write to.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::env;
use crate::store::{Store, StoreError, layout, locate};
use crate::wrap::configuration::Configuration;

/// Where it is; it need not exist yet. A build directory stands for the store in it. `None`: no home, and none named.
pub fn root(explicit: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let directory = std::env::current_dir().context("cannot tell the working directory")?;
    if let Some(named) = explicit.map(|named| directory.join(named)) {
        let inner = named.join(locate::DIRECTORY);
        return Ok(Some(if inner.join(layout::MARKER).is_file() { inner } else { named }));
    }
    let (named, home) = (Configuration::of(directory.clone()).store(), env::path(env::HOME));
    let state = env::path(env::XDG_STATE_HOME);
    Ok(locate(named.as_deref(), &directory, home.as_deref(), state.as_deref()))
}

/// The store of the build in `tree`: the one that is named, else the nearest `.lpcc` from there upward; never the user's own.
pub fn of_build(tree: &Path) -> Option<PathBuf> {
    let named = Configuration::of(tree.to_path_buf()).store();
    locate(named.as_deref(), tree, env::path(env::HOME).as_deref(), None)
        .filter(|root| named.is_some() || root.ends_with(locate::DIRECTORY))
}

/// The store, where there is one. One that was named must be there.
pub fn find(explicit: Option<&Path>) -> anyhow::Result<Option<Store>> {
    let Some(root) = root(explicit)? else { return Ok(None) };
    match Store::open(&root) {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::NotAStore(_)) if explicit.is_none() && !root.exists() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The store, for a command that is nothing without one.
pub fn open(explicit: Option<&Path>) -> anyhow::Result<Store> {
    let root = root(explicit)?.context("there is no store: no home, and none was named")?;
    Ok(Store::open(&root)?)
}
