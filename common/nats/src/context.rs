//! Address and login of NATS, from the places that the `nats` command reads.
//!
//! In order of precedence: flags, the environment (`NATS_URL`, `NATS_CREDS` and
//! so on), a context named by flag or `NATS_CONTEXT`, the program's own config
//! file, a context named there or selected by `nats context select`, localhost.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rolecast_common::settings::Table;
use serde::Deserialize;

use super::login::{Login, split_urls};

/// Settings of the connection to NATS; `None` is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// One or more servers, separated by commas.
    pub url: Option<String>,
    /// The name of a `nats` context to start from.
    #[serde(skip)]
    pub context: Option<String>,
    /// The user of a login with a password.
    pub user: Option<String>,
    /// The password of the user.
    pub password: Option<String>,
    /// The token of a login without a user.
    pub token: Option<String>,
    /// A credentials file.
    pub creds: Option<String>,
    /// A file with an nkey seed.
    pub nkey: Option<String>,
    /// A client certificate file.
    pub cert: Option<String>,
    /// The key file of the client certificate.
    pub key: Option<String>,
    /// A file with the certificate authority to trust.
    pub ca: Option<String>,
    /// Whether TLS begins before the server's greeting.
    pub tls_first: Option<bool>,
    /// The first part of the subjects of replies, in place of `_INBOX`.
    pub inbox_prefix: Option<String>,
    /// The domain of JetStream.
    pub jetstream_domain: Option<String>,
    /// The first part of the subjects of requests to JetStream; it replaces the domain.
    pub jetstream_api_prefix: Option<String>,
}

impl Settings {
    /// Reads the section `[nats]` of a program's config.
    pub fn from_table(table: &mut Table<'_>) -> Self {
        Self {
            url: table.get("url"),
            context: table.get("context"),
            user: table.get("user"),
            password: table.get("password"),
            token: table.get("token"),
            creds: table.get("creds"),
            nkey: table.get("nkey"),
            cert: table.get("cert"),
            key: table.get("key"),
            ca: table.get("ca"),
            tls_first: table.get("tls_first"),
            inbox_prefix: table.get("inbox_prefix"),
            jetstream_domain: table.get("jetstream_domain"),
            jetstream_api_prefix: table.get("jetstream_api_prefix"),
        }
    }

    fn from_environment() -> Self {
        let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            url: get("NATS_URL"),
            context: get("NATS_CONTEXT"),
            user: get("NATS_USER"),
            password: get("NATS_PASSWORD"),
            token: get("NATS_TOKEN"),
            creds: get("NATS_CREDS"),
            nkey: get("NATS_NKEY"),
            cert: get("NATS_CERT"),
            key: get("NATS_KEY"),
            ca: get("NATS_CA"),
            inbox_prefix: get("NATS_INBOX_PREFIX"),
            jetstream_domain: get("NATS_JS_DOMAIN"),
            ..Self::default()
        }
    }

    /// Moves the login of the URL to its own fields, whose values it replaces.
    fn with_login_of_url(mut self) -> Self {
        let Some(url) = self.url.take() else {
            return self;
        };
        let (url, login) = split_urls(&url);
        self.url = Some(url);
        match login {
            None => {}
            Some(Login::User { user, password }) => {
                self.user = Some(user);
                self.password = Some(password);
            }
            Some(Login::Token(token)) => self.token = Some(token),
        }
        self
    }

    /// Fills what is not set from `lower`. A login is one thing: where this one
    /// has any, none of the lower one's is mixed in.
    fn or(self, lower: Self) -> Self {
        let login = [&self.user, &self.token, &self.creds, &self.nkey];
        let has_login = login.iter().any(|value| value.is_some());
        let lower_login = |value: Option<String>| value.filter(|_| !has_login);
        Self {
            url: self.url.or(lower.url),
            context: self.context.or(lower.context),
            user: self.user.or(lower_login(lower.user)),
            password: self.password.or(lower_login(lower.password)),
            token: self.token.or(lower_login(lower.token)),
            creds: self.creds.or(lower_login(lower.creds)),
            nkey: self.nkey.or(lower_login(lower.nkey)),
            cert: self.cert.or(lower.cert),
            key: self.key.or(lower.key),
            ca: self.ca.or(lower.ca),
            tls_first: self.tls_first.or(lower.tls_first),
            inbox_prefix: self.inbox_prefix.or(lower.inbox_prefix),
            jetstream_domain: self.jetstream_domain.or(lower.jetstream_domain),
            jetstream_api_prefix: self.jetstream_api_prefix.or(lower.jetstream_api_prefix),
        }
    }

    /// Returns the files that hold the login.
    pub fn secret_files(&self) -> Vec<PathBuf> {
        let files = [&self.creds, &self.nkey, &self.key];
        let files = files.into_iter().flatten();
        files.map(|path| expand_home(path)).collect()
    }

    /// Returns whether the settings hold a secret themselves, rather than the file where
    /// it is.
    pub fn has_secret(&self) -> bool {
        let in_url = self.url.as_deref().is_some_and(has_secret);
        self.password.is_some() || self.token.is_some() || in_url
    }

    /// Returns the servers to connect to.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or("nats://127.0.0.1:4222")
    }
}

/// Returns whether a URL holds a password or a token.
pub fn has_secret(urls: &str) -> bool {
    match split_urls(urls).1 {
        Some(Login::User { password, .. }) => !password.is_empty(),
        Some(Login::Token(token)) => !token.is_empty(),
        None => false,
    }
}

/// Returns the environment variables that contain a secret of this program: any process
/// that may read its environment sees it.
pub fn secret_variables() -> Vec<&'static str> {
    let is_set = |name: &&str| env::var(name).is_ok_and(|value| !value.is_empty());
    let mut found: Vec<&str> = ["NATS_PASSWORD", "NATS_TOKEN"].into();
    found.retain(is_set);
    if env::var("NATS_URL").is_ok_and(|urls| has_secret(&urls)) {
        found.push("NATS_URL");
    }
    found
}

/// Resolves the settings from flags, environment, config file and context.
pub fn nats_settings(flags: Settings, file: Settings) -> anyhow::Result<Settings> {
    let asked = flags
        .with_login_of_url()
        .or(Settings::from_environment().with_login_of_url());
    let file = file.with_login_of_url();
    let directory = config_directory().unwrap_or_default().join("nats");
    resolve(asked, file, &directory)
}

fn resolve(asked: Settings, file: Settings, directory: &Path) -> anyhow::Result<Settings> {
    // A context asked for by name is what the operator wants now; it beats the file.
    if asked.context.is_some() {
        let context = read_context(directory, asked.context.as_deref())?;
        return Ok(asked.or(context.with_login_of_url()).or(file));
    }
    let settings = asked.or(file);
    // An explicit server without a login of its own must not be sent the
    // secrets of a context that was merely selected.
    if settings.url.is_some() && settings.context.is_none() {
        return Ok(settings);
    }
    let context = read_context(directory, settings.context.as_deref())?;
    Ok(settings.or(context.with_login_of_url()))
}

/// Ways to log in that a context may have and that only the `nats` command knows: to
/// continue without them would be to connect without a login.
const UNSUPPORTED: [&str; 2] = ["nsc", "user_jwt"];

fn config_directory() -> Option<PathBuf> {
    let given = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    given.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".config")))
}

/// Reads the named context, or the selected one, or nothing if there is neither.
fn read_context(directory: &Path, name: Option<&str>) -> anyhow::Result<Settings> {
    let selected = fs::read_to_string(directory.join("context.txt")).unwrap_or_default();
    let name = match name {
        Some(name) => name,
        None => selected.trim(),
    };
    if name.is_empty() {
        return Ok(Settings::default());
    }
    if name.contains(['/', '\\']) || name.contains("..") {
        bail!("nats context {name:?} is not a context name");
    }
    let path = directory.join("context").join(format!("{name}.json"));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("nats context {name:?}: cannot read {}", path.display()))?;
    let invalid = || format!("nats context {name:?}: {} is not valid", path.display());
    let fields: serde_json::Value = serde_json::from_str(&text).with_context(invalid)?;
    for field in UNSUPPORTED {
        if fields[field]
            .as_str()
            .is_some_and(|value| !value.is_empty())
        {
            bail!("nats context {name:?} logs in by {field:?}, which is not supported; use creds");
        }
    }
    let mut settings: Settings = serde_json::from_value(fields).with_context(invalid)?;
    settings.drop_empty();
    Ok(settings)
}

impl Settings {
    /// Removes empty values, which the `nats` command writes for unset ones.
    fn drop_empty(&mut self) {
        let fields = [
            &mut self.url,
            &mut self.user,
            &mut self.password,
            &mut self.token,
            &mut self.creds,
            &mut self.nkey,
            &mut self.cert,
            &mut self.key,
            &mut self.ca,
            &mut self.inbox_prefix,
            &mut self.jetstream_domain,
            &mut self.jetstream_api_prefix,
        ];
        for field in fields {
            field.take_if(|value| value.is_empty());
        }
    }
}

/// Replaces a leading `~` by the home directory, as the `nats` command does.
pub(super) fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        (Some(_) | None, _) => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_read_as_the_nats_command_writes_it() {
        let directory = std::env::temp_dir().join(format!("rolecast-ctx-{}", std::process::id()));
        fs::create_dir_all(directory.join("context")).unwrap();
        let text = r#"{"description":"","url":"nats://a:4222","token":"","user":"u","password":"p","creds":""}"#;
        fs::write(directory.join("context/east.json"), text).unwrap();
        fs::write(directory.join("context.txt"), "east\n").unwrap();
        let expected = Settings {
            url: Some("nats://a:4222".to_owned()),
            user: Some("u".to_owned()),
            password: Some("p".to_owned()),
            ..Settings::default()
        };
        assert_eq!(read_context(&directory, None).unwrap(), expected);
        assert_eq!(read_context(&directory, Some("east")).unwrap(), expected);
        assert!(read_context(&directory, Some("west")).is_err());
        assert!(read_context(&directory, Some("../east")).is_err());
        fs::write(
            directory.join("context/nsc.json"),
            r#"{"nsc":"nsc://o/a/u"}"#,
        )
        .unwrap();
        let error = read_context(&directory, Some("nsc"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"nsc\", which is not supported"), "{error}");
        let file = Settings {
            url: Some("nats://file:4222".to_owned()),
            ..Settings::default()
        };
        let by_flag = Settings {
            context: Some("east".to_owned()),
            ..Settings::default()
        };
        let resolved = resolve(by_flag, file.clone(), &directory).unwrap();
        assert_eq!(resolved.url(), "nats://a:4222");
        // An explicit server neither needs nor gets the selected context.
        fs::write(directory.join("context.txt"), "gone").unwrap();
        assert_eq!(
            resolve(Settings::default(), file.clone(), &directory).unwrap(),
            file
        );
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn the_login_of_a_url_beats_one_from_a_lower_place() {
        let from_url = |url: &str| Settings {
            url: Some(url.to_owned()),
            ..Settings::default()
        };
        let upper = from_url("nats://u:p@a:4222").with_login_of_url();
        let lower = from_url("nats://s3cr3t@b:4222").with_login_of_url();
        let both = upper.or(lower);
        assert_eq!(both.url(), "nats://a:4222");
        assert_eq!(both.user.as_deref(), Some("u"));
        assert_eq!((both.password.as_deref(), both.token), (Some("p"), None));
    }

    #[test]
    fn a_login_is_never_mixed_from_two_places() {
        let upper = Settings {
            token: Some("t".to_owned()),
            ..Settings::default()
        };
        let lower = Settings {
            user: Some("u".to_owned()),
            password: Some("p".to_owned()),
            ca: Some("/ca".to_owned()),
            ..Settings::default()
        };
        let both = upper.or(lower);
        assert_eq!((both.user, both.password), (None, None));
        assert_eq!(both.ca.as_deref(), Some("/ca"));
    }
}
