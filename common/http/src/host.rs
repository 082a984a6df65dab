//! Names under which a server may be asked.
//!
//! A page of another site can have its own name resolve to this machine (DNS rebinding) and
//! then read answers as if they were its own. Such a request has that name in its `Host`
//! header. Addresses cannot be rebound, and `localhost` is not resolved by others.

use std::net::{IpAddr, Ipv6Addr};

/// The names beside addresses and `localhost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    /// `names` are host names without ports; the error is the first that is none.
    pub(crate) fn new(names: Vec<String>) -> Result<Self, String> {
        match names.iter().find(|name| !is_name(name)) {
            Some(bad) => Err(bad.clone()),
            None => Ok(Self(names)),
        }
    }

    /// Whether the authority of a request, such as `localhost:8640`, is served.
    pub(crate) fn serve(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority) else {
            return false;
        };
        let is_local = host.eq_ignore_ascii_case("localhost");
        let mut names = self.0.iter();
        is_address(host) || is_local || names.any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Returns the host of an authority, without its port and a last dot.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(_) => {
            let (host, port) = authority.split_at(authority.find(']')? + 1);
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then(|| host.strip_suffix('.').unwrap_or(host))
}

fn is_address(host: &str) -> bool {
    let v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => matches!(host.parse(), Ok(IpAddr::V4(_))),
    }
}

fn is_name(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !name.is_empty() && name.len() <= 253 && name.bytes().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_local_names_and_configured_names_are_served() {
        let hosts = Hosts::new(vec!["Dispatcher-1.example".to_owned()]).unwrap();
        for served in [
            "localhost",
            "LOCALHOST:8640",
            "localhost.:8640",
            "127.0.0.1:8640",
            "10.1.2.3",
            "[::1]:8640",
            "[fe80::1]",
            "dispatcher-1.EXAMPLE:80",
        ] {
            assert!(hosts.serve(served), "{served}");
        }
        for refused in [
            "",
            ":8640",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80:evil",
            "127.0.0.1:evil",
            "user@localhost",
            "[::1",
            "[evil]",
            "::1",
            "0x7f.1",
            "dispatcher-1",
        ] {
            assert!(!hosts.serve(refused), "{refused}");
        }
    }

    #[test]
    fn a_name_has_no_port_and_no_wildcard() {
        for bad in ["", "a:80", "*", "http://a", "a/b"] {
            assert_eq!(Hosts::new(vec![bad.to_owned()]), Err(bad.to_owned()));
        }
    }
}
