//! Flags for the connection to NATS, with the names of the nats command.

use clap::Args;
use rolecast_nats::Settings;

/// Connection to NATS.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "NATS")]
pub(crate) struct Nats {
    /// URL of the server, or several separated by commas [default: nats://127.0.0.1:4222]
    #[arg(long, global = true, value_name = "URL")]
    nats_url: Option<String>,
    /// A context of the nats command
    #[arg(long, global = true, value_name = "NAME")]
    nats_context: Option<String>,
    /// Credentials file
    #[arg(long, global = true, value_name = "FILE")]
    creds: Option<String>,
    /// User name; a token if there is no --password
    #[arg(long, global = true, value_name = "NAME")]
    user: Option<String>,
    /// Password of --user
    #[arg(long, global = true, value_name = "PASSWORD", requires = "user")]
    password: Option<String>,
    /// File with an nkey seed
    #[arg(long, global = true, value_name = "FILE")]
    nkey: Option<String>,
    /// Client certificate
    #[arg(long, global = true, value_name = "FILE")]
    tlscert: Option<String>,
    /// Key of the client certificate
    #[arg(long, global = true, value_name = "FILE")]
    tlskey: Option<String>,
    /// Certificate authority to trust
    #[arg(long, global = true, value_name = "FILE")]
    tlsca: Option<String>,
}

impl Nats {
    /// Returns the settings of these flags; a user without password is a token, as in the
    /// nats command.
    pub(crate) fn settings(&self) -> Settings {
        let is_token = self.user.is_some() && self.password.is_none();
        Settings {
            url: self.nats_url.clone(),
            context: self.nats_context.clone(),
            user: self.user.clone().filter(|_| !is_token),
            password: self.password.clone(),
            token: self.user.clone().filter(|_| is_token),
            creds: self.creds.clone(),
            nkey: self.nkey.clone(),
            cert: self.tlscert.clone(),
            key: self.tlskey.clone(),
            ca: self.tlsca.clone(),
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    #[test]
    fn a_user_without_password_is_a_token() {
        let token = parse("rolecast status --user t").unwrap();
        let token = token.global.nats.settings();
        assert_eq!((token.token.as_deref(), token.user), (Some("t"), None));
        let user = parse("rolecast status --user u --password p").unwrap();
        let user = user.global.nats.settings();
        assert_eq!((user.user.as_deref(), user.token), (Some("u"), None));
    }
}
