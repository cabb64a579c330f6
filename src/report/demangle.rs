//! Symbols as a person wrote them.

use std::borrow::Cow;

use bstr::{BStr, ByteSlice};

/// The readable form of a C++ or Rust symbol; `None` where the symbol is its own readable form.
///
/// A clone's suffix (`.isra.0`) is no part of the mangled name and stays as it is.
pub fn demangle(symbol: &BStr) -> Option<String> {
    if !symbol.starts_with(b"_Z") && !symbol.starts_with(b"_R") {
        return None;
    }
    let symbol = symbol.to_str().ok()?;
    // A legacy Rust symbol is a valid C++ one too, with its hash as the last name: Rust is asked first.
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return Some(format!("{name:#}"));
    }
    let (mangled, suffix) = match symbol.find('.') {
        Some(dot) => symbol.split_at(dot),
        None => (symbol, ""),
    };
    let name = cpp_demangle::Symbol::new(mangled).ok()?.demangle().ok()?;
    Some(name + suffix)
}

/// The symbol for a terminal: demangled where possible, never with control characters.
pub fn shown(symbol: &BStr) -> Cow<'_, str> {
    demangle(symbol).map_or_else(|| super::bytes::printable(symbol), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cxx_rust_and_plain() {
        for (symbol, expected) in [
            ("_ZN1VIiE3getEi.isra.0", "V<int>::get(int).isra.0"),
            ("_Z3fooi", "foo(int)"),
            ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
            ("main", "main"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(shown(symbol.into()), expected);
        }
    }
}
