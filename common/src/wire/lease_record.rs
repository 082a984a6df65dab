//! Content of the key of the dispatchers' lease, stored as JSON.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::Epoch;

/// The content that a holder writes into the key. Fields may be added to it, and none is
/// ever removed: dispatchers of two versions contend for one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    pub epoch: Epoch,
    /// The holder's name, for people.
    pub name: String,
    /// The id of one start of a dispatcher.
    #[serde(default)]
    pub incarnation: String,
    /// Rises with each renewal.
    #[serde(default)]
    pub renewal: u64,
    /// Whether the holder has given it up.
    #[serde(default)]
    pub is_resigned: bool,
    /// The keys by which its holder makes seals, and recognizes those of its
    /// predecessors; the newest first.
    #[serde(default)]
    pub seals: Vec<SealEra>,
}

/// The key for the seals of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealEra {
    pub epoch: Epoch,
    pub key: SealKey,
}

/// The secret of a seal: 16 bytes that nobody can guess. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealKey([u8; 16]);

impl SealKey {
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// Serialized as 32 hexadecimal digits.
impl Serialize for SealKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for SealKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u128::from_str_radix(&text, 16).map_err(de::Error::custom)?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_its_form_and_never_shows_a_key() {
        let text = r#"{"epoch":7,"name":"d","incarnation":"i","renewal":3,"is_resigned":false,"seals":[{"epoch":7,"key":"0000000000000000000000000000001b"}]}"#;
        let record: LeaseRecord = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        let shown = format!("{record:?}");
        assert!(!shown.contains("27") && !shown.contains("1b"), "{shown}");
        assert!(serde_json::from_str::<SealEra>(r#"{"epoch": 1, "key": "x"}"#).is_err());
        // A dispatcher of an earlier version wrote the first two fields only.
        let old = r#"{"epoch":7,"name":"d"}"#;
        let old: LeaseRecord = serde_json::from_str(old).unwrap();
        assert_eq!((old.renewal, old.seals), (0, Vec::new()));
    }
}
