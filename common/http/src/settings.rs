//! The section `[http]` of a program's config.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use rolecast_common::settings::Table;

use crate::guard::Guard;
use crate::host::Hosts;
use crate::token::Token;

/// Settings of a program's HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    listen: Listen,
    token: Option<TokenSource>,
    hosts: Hosts,
}

/// The address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    Off,
    /// The default. It may be taken by another program of the same kind.
    Default(SocketAddr),
    /// An address that somebody chose.
    At(SocketAddr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TokenSource {
    Text(Token),
    File(PathBuf),
}

/// The token cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the token of [http]")]
pub struct NoToken;

impl Settings {
    /// Returns the settings of a program without HTTP.
    pub fn off() -> Self {
        Self {
            listen: Listen::Off,
            token: None,
            hosts: Hosts::default(),
        }
    }

    /// Reads the section. Without the key `listen` the `default` holds.
    pub fn read(table: &mut Table<'_>, default: Listen) -> Self {
        let listen = match table.get::<String>("listen") {
            None => default,
            Some(text) => parse_listen(&text).unwrap_or_else(|| {
                let text = "must be an address such as \"127.0.0.1:8640\", or \"off\"";
                table.mistake("listen", text);
                Listen::Off
            }),
        };
        let token = read_token(table);
        let hosts = table.get_or("hosts", Vec::new());
        let hosts = Hosts::new(hosts).unwrap_or_else(|bad| {
            let text = format!("{bad:?} is not the name of a host, such as \"dispatcher-1\"");
            table.mistake("hosts", text);
            Hosts::default()
        });
        if let Listen::At(address) = listen
            && !address.ip().is_loopback()
            && token.is_none()
        {
            let text = format!(
                "{address} can be reached from other machines, so readers must show a token: \
                 set token_file or token, or listen on 127.0.0.1"
            );
            table.mistake("listen", text);
        }
        Self {
            listen,
            token,
            hosts,
        }
    }

    pub(crate) fn listen(&self) -> Listen {
        self.listen
    }

    /// Returns the guard; reads the file of the token.
    ///
    /// # Errors
    /// [`NoToken`], with the reason, if the file has none.
    pub(crate) fn guard(&self) -> anyhow::Result<Guard> {
        let token = match &self.token {
            None => None,
            Some(TokenSource::Text(token)) => Some(token.clone()),
            Some(TokenSource::File(path)) => {
                let name = || format!("token_file {}", path.display());
                let text = std::fs::read_to_string(path).with_context(name);
                let token = text.and_then(|text| Token::new(text.trim()).with_context(name));
                Some(token.context(NoToken)?)
            }
        };
        Ok(Guard::new(token, self.hosts.clone()))
    }
}

fn read_token(table: &mut Table<'_>) -> Option<TokenSource> {
    let text = table.get::<String>("token");
    let file = table.get::<String>("token_file");
    if text.is_some() && file.is_some() {
        table.mistake("token", "is set beside token_file; set one of them");
    }
    if let Some(path) = file {
        return Some(TokenSource::File(PathBuf::from(path)));
    }
    let text = text?;
    let token = Token::new(&text);
    if let Err(error) = &token {
        table.mistake("token", error.to_string());
    }
    token.ok().map(TokenSource::Text)
}

fn parse_listen(text: &str) -> Option<Listen> {
    if text == "off" {
        return Some(Listen::Off);
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().ok()?;
        return Some(Listen::At(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
    }
    text.parse().ok().map(Listen::At)
}

#[cfg(test)]
mod tests {
    use rolecast_common::settings;

    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let default = Listen::Default(SocketAddr::from(([127, 0, 0, 1], 8640)));
        let text = format!("[http]\n{text}");
        let read = settings::read(&text, |root| {
            root.table("http", |table| Settings::read(table, default))
        });
        read.map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn an_address_is_the_default_or_chosen_or_off() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        for (text, listen) in [
            ("", Listen::Default(address(8640))),
            ("listen = \"off\"", Listen::Off),
            ("listen = \"127.0.0.1:8640\"", Listen::At(address(8640))),
            ("listen = \"localhost:9\"", Listen::At(address(9))),
        ] {
            assert_eq!(read(text).unwrap().listen, listen, "{text}");
        }
        for text in ["8640", ":8640", "localhost", "host:80", "on"] {
            let error = read(&format!("listen = \"{text}\"")).unwrap_err();
            assert!(
                error.contains("line 2: http.listen: must be an address"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        for address in ["0.0.0.0:8640", "[::]:8640", "192.168.1.1:80"] {
            let listen = format!("listen = \"{address}\"\n");
            let error = read(&listen).unwrap_err();
            assert!(error.contains("so readers must show a token"), "{error}");
            let with_token = format!("{listen}token = \"0123456789abcdef\"\n");
            assert!(read(&with_token).is_ok(), "{with_token}");
            let with_file = format!("{listen}token_file = \"/run/secret\"\n");
            assert!(read(&with_file).is_ok(), "{with_file}");
        }
        assert!(read("listen = \"[::1]:8640\"").is_ok());
        assert!(read("listen = \"127.1.2.3:8640\"").is_ok());
    }

    #[test]
    fn mistakes_name_their_remedy() {
        for (text, part) in [
            ("token = \"short\"", "openssl rand -hex 16"),
            (
                "token = \"0123456789abcdef\"\ntoken_file = \"/a\"",
                "set one of them",
            ),
            ("hosts = [\"a:80\"]", "\"a:80\" is not the name of a host"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{part:?} not in {error}");
        }
        let error = read("token_file = \"/does/not/exist\"").unwrap().guard();
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.contains("/does/not/exist"), "{error}");
    }
}
