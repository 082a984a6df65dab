//! The token that readers must show.

use std::fmt;

use data_encoding::BASE64;
use subtle::ConstantTimeEq as _;

/// The shortest token: at some thousand guesses a second it lasts.
const LEN_MIN: usize = 16;
/// The longest token, and with it the longest header that is decoded.
const LEN_MAX: usize = 256;

/// A token; its text appears in no log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The reason why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have {LEN_MIN} to {LEN_MAX} letters, digits or signs, without spaces; make one with: \
     openssl rand -hex 16"
)]
pub(crate) struct BadToken;

impl Token {
    pub(crate) fn new(text: &str) -> Result<Self, BadToken> {
        let is_long_enough = (LEN_MIN..=LEN_MAX).contains(&text.len());
        if !is_long_enough || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadToken);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether an `Authorization` header shows the token: as `Bearer`, or as the password of
    /// any user. The time that it takes does not depend on where the texts differ.
    pub(crate) fn is_shown_by(&self, header: &str) -> bool {
        let Some((scheme, value)) = header.split_once(' ') else {
            return false;
        };
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(value.as_bytes());
        }
        // A user and a colon before it, four letters for three bytes.
        if !scheme.eq_ignore_ascii_case("basic") || value.len() > 4 * LEN_MAX {
            return false;
        }
        let Ok(login) = BASE64.decode(value.as_bytes()) else {
            return false;
        };
        let colon = login.iter().position(|byte| *byte == b':');
        colon.is_some_and(|colon| self.is(&login[colon + 1..]))
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123";

    #[test]
    fn a_token_is_shown_as_bearer_or_as_the_password_of_any_user() {
        let token = Token::new(TEXT).unwrap();
        let basic = |login: &str| format!("Basic {}", BASE64.encode(login.as_bytes()));
        for header in [
            format!("Bearer {TEXT}"),
            format!("bearer {TEXT}"),
            basic(&format!("anyone:{TEXT}")),
            basic(&format!(":{TEXT}")),
        ] {
            assert!(token.is_shown_by(&header), "{header}");
        }
        for header in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            TEXT.to_owned(),
            format!("Bearer {TEXT}4"),
            format!("Bearer {}", &TEXT[1..]),
            format!("Basic {TEXT}"),
            basic(TEXT),
            basic(&format!("{TEXT}:")),
            basic(&format!("a:{TEXT}:")),
            format!("Basic {}", "A".repeat(5000)),
        ] {
            assert!(!token.is_shown_by(&header), "{header}");
        }
    }

    #[test]
    fn a_token_is_long_and_plain_and_not_printed() {
        for bad in [
            "",
            "short",
            "0123456789abcde 0123",
            "0123456789abcdef\n",
            "ä".repeat(20).as_str(),
        ] {
            assert_eq!(Token::new(bad), Err(BadToken), "{bad:?}");
        }
        let printed = format!("{:?}", Token::new(TEXT).unwrap());
        assert!(!printed.contains("0123"), "{printed}");
    }
}
