//! Removes the login from a server's URL, where the client library ignores it and logs
//! would show it.

use percent_encoding::percent_decode_str;

/// The part before the `@` of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Login {
    User { user: String, password: String },
    Token(String),
}

/// Splits `nats://user:password@host` and `nats://token@host`, of which there
/// may be several with commas between; the first login counts.
pub(super) fn split_urls(urls: &str) -> (String, Option<Login>) {
    let mut login = None;
    let mut bare = Vec::new();
    for url in urls.split(',') {
        let (url, found) = split(url.trim());
        bare.push(url);
        login = login.or(found);
    }
    (bare.join(","), login)
}

fn split(url: &str) -> (String, Option<Login>) {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        Some(_) | None => (String::new(), url),
    };
    // A password may contain an `@`, a host may not.
    let Some((login, address)) = rest.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let login = match login.split_once(':') {
        Some((user, password)) => Login::User {
            user: decode(user),
            password: decode(password),
        },
        None => Login::Token(decode(login)),
    };
    (format!("{scheme}{address}"), Some(login))
}

/// Decodes `%40` and the like; other text stays as it is.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(user: &str, password: &str) -> Option<Login> {
        Some(Login::User {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    #[test]
    fn a_login_is_taken_out_of_a_url() {
        for (urls, bare, login) in [
            ("nats://a:4222", "nats://a:4222", None),
            ("nats://u:p@a:4222", "nats://a:4222", user("u", "p")),
            ("tls://u:p%40%3a@a", "tls://a", user("u", "p@:")),
            ("u:p@a:4222", "a:4222", user("u", "p")),
            ("u:p@://a", "://a", user("u", "p")),
            (
                "nats://u:p@a, nats://b",
                "nats://a,nats://b",
                user("u", "p"),
            ),
            (
                "nats://a,nats://u:%+1@b",
                "nats://a,nats://b",
                user("u", "%+1"),
            ),
            (
                "nats://s3cr3t@a",
                "nats://a",
                Some(Login::Token("s3cr3t".to_owned())),
            ),
        ] {
            assert_eq!(split_urls(urls), (bare.to_owned(), login), "{urls}");
        }
    }

    proptest! {
        #[test]
        fn what_remains_of_a_url_has_no_login(urls in "[a%@:/,.0-9é]{0,40}") {
            let (bare, _) = split_urls(&urls);
            prop_assert!(!bare.contains('@'), "{bare}");
        }
    }
}
