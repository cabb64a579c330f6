//! Names that items have in common: their section, their source. Most items of an object lie in the same few sections, and a
//! copy for each of many thousands is memory that must be touched.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that others may hold, too. In a record it is as a `BString`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedName(Arc<[u8]>);

impl Deref for SharedName {
    type Target = BStr;

    fn deref(&self) -> &BStr {
        self.0.as_bstr()
    }
}

impl From<&SharedName> for BString {
    fn from(name: &SharedName) -> Self {
        (**name).into()
    }
}

impl From<&[u8]> for SharedName {
    fn from(name: &[u8]) -> Self {
        Self(name.into())
    }
}

impl From<&str> for SharedName {
    fn from(name: &str) -> Self {
        name.as_bytes().into()
    }
}

impl fmt::Debug for SharedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for SharedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl Serialize for SharedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Serialize::serialize(&**self, serializer)
    }
}

impl<'de> Deserialize<'de> for SharedName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BString::deserialize(deserializer).map(|name| name.as_slice().into())
    }
}

/// The name met last. Things come in the order of their sections, so it is mostly the next one's, too.
#[derive(Debug, Default)]
pub struct LastName(Option<SharedName>);

impl LastName {
    /// This name, shared with the last one where that is the same.
    pub fn share(&mut self, name: &[u8]) -> SharedName {
        match &self.0 {
            Some(last) if **last == name => last.clone(),
            _ => self.0.insert(name.into()).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_in_a_row_are_one() {
        let mut last = LastName::default();
        let names = [&b".text"[..], b".text", b".data", b".text"].map(|name| last.share(name));
        assert!(Arc::ptr_eq(&names[0].0, &names[1].0));
        assert!(!Arc::ptr_eq(&names[0].0, &names[3].0));
        assert_eq!(names[0], names[3]);
        assert_ne!(names[1], names[2]);
    }
}
