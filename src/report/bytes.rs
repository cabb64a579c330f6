//! Bytes in JSON: lossy text for everybody, and the bytes themselves where the text lost some.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::{BStr, ByteSlice};
use serde_json::{Map, Value};

/// Puts `bytes` under `key` as text, and under `key` + `_bytes` in base64 where they are not UTF-8.
pub fn put(object: &mut Map<String, Value>, key: &str, bytes: &BStr) {
    object.insert(key.to_owned(), bytes.to_str_lossy().into());
    if bytes.to_str().is_err() {
        object.insert(format!("{key}_bytes"), STANDARD.encode(bytes).into());
    }
}

/// Text for a terminal: lossy, and without control characters, which a symbol or a path may hold.
pub fn printable(bytes: &BStr) -> Cow<'_, str> {
    let text = bytes.to_str_lossy();
    // (Of a table's many thousand names nearly all are plain: told by the byte.)
    let is_plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !text.chars().any(char::is_control) {
        return text;
    }
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_where_text_cannot() {
        let mut object = Map::new();
        put(&mut object, "path", b"a\xffb".as_bstr());
        put(&mut object, "plain", b"ab".as_bstr());
        assert_eq!(Value::Object(object).to_string(), r#"{"path":"a�b","path_bytes":"Yf9i","plain":"ab"}"#);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable(b"a\n\x1b[31m".as_bstr()), r"a\n\u{1b}[31m");
    }
}
