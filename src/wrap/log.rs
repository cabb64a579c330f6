//! What lpcc says about its own work: nothing, unless asked.

use std::fs::File;
use std::str::FromStr;

use tracing_subscriber::filter::LevelFilter;

use crate::env;

/// Starts the log where the environment asks for one. A log that cannot be opened is no reason to fail.
pub fn start() {
    let level = env::get(env::LOG).map(|text| {
        text.to_str().and_then(|text| LevelFilter::from_str(text).ok()).unwrap_or(LevelFilter::DEBUG)
    });
    let file = env::path(env::LOG_FILE);
    if level.is_none() && file.is_none() {
        return;
    }
    let level = level.unwrap_or(LevelFilter::DEBUG);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).without_time();
    let opened = file.map(|path| File::options().create(true).append(true).open(path));
    match opened {
        Some(Ok(file)) => builder.with_writer(file).init(),
        Some(Err(_)) => {}
        None => builder.with_writer(std::io::stderr).init(),
    }
}
