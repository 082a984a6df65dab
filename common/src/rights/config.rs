//! Rights as text: a configuration of nats-server, and commands of nsc.

use super::{Action, Party, Place, Right, rights};

/// The account to which the commands of nsc add users.
const ACCOUNT: &str = "ROLECAST";

/// A user, its rights, and the party that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub about: String,
    /// Empty for a user that may do anything.
    pub rights: Vec<Right>,
}

impl Login {
    /// Returns the login of a party, under this user name.
    pub fn new(party: &Party, user: &str) -> Self {
        let place = Place::of(user);
        let inbox = format!("{}.>", place.inbox);
        let rights = rights(party, &place);
        let has_inbox = rights.iter().any(|right| right.subject == inbox);
        let about = match has_inbox {
            true => format!("{party}; inbox_prefix = \"{}\"", place.inbox),
            false => party.to_string(),
        };
        Self {
            user: user.to_owned(),
            password: placeholder(user),
            about,
            rights,
        }
    }

    /// Returns the same login with another password.
    pub fn with_password(self, password: &str) -> Self {
        let password = password.to_owned();
        Self { password, ..self }
    }

    /// Returns a user that may do anything: for the administrator of NATS itself.
    pub fn admin() -> Self {
        Self {
            user: "admin".to_owned(),
            password: placeholder("admin"),
            about: "an administrator of NATS; no program logs in as this".to_owned(),
            rights: Vec::new(),
        }
    }

    fn of(&self, action: Action) -> impl Iterator<Item = &Right> {
        self.rights
            .iter()
            .filter(move |right| right.action == action)
    }

    fn is_limited(&self) -> bool {
        !self.rights.is_empty()
    }
}

fn placeholder(user: &str) -> String {
    format!("<password of {user}>")
}

/// Writes a whole configuration; text in `<` and `>` is for its user to fill in.
pub fn server(logins: &[Login]) -> String {
    format!(
        "# nats-server for Rolecast: each party has a login of its own, with the rights it needs.\n\
         # Replace the text between < and >; nkeys or credentials are safer than passwords.\n\
         \n\
         server_name: \"<server-name>\"\n\
         listen: \"0.0.0.0:4222\"\n\
         jetstream {{\n\
         \x20 store_dir: \"<directory for streams>\"\n\
         }}\n\
         tls {{\n\
         \x20 cert_file: \"<certificate of this server>\"\n\
         \x20 key_file: \"<key of that certificate>\"\n\
         \x20 ca_file: \"<certificate authority of the clients>\"\n\
         \x20 # Asks clients for certificates too.\n\
         \x20 verify: true\n\
         }}\n\
         {}",
        authorization(logins)
    )
}

/// Writes the block `authorization` with these logins.
pub fn authorization(logins: &[Login]) -> String {
    let mut text = "authorization {\n  users: [\n".to_owned();
    for login in logins {
        write_user(&mut text, login);
    }
    text.push_str("  ]\n}\n");
    text
}

fn write_user(text: &mut String, login: &Login) {
    let Login {
        user,
        password,
        about,
        ..
    } = login;
    text.push_str(&format!("    # {about}\n"));
    text.push_str(&format!(
        "    {{ user: \"{user}\", password: \"{password}\""
    ));
    if !login.is_limited() {
        text.push_str(" }\n");
        return;
    }
    text.push_str(", permissions: {\n");
    for action in [Action::Publish, Action::Subscribe] {
        let name = action.as_str();
        // To NATS an empty list of allowed subjects is no limit.
        if login.of(action).next().is_none() {
            text.push_str(&format!("      {name}: {{ deny: \">\" }}\n"));
            continue;
        }
        text.push_str(&format!("      {name}: {{ allow: [\n"));
        let mut purpose = "";
        for right in login.of(action) {
            if right.purpose != purpose {
                purpose = right.purpose;
                text.push_str(&format!("        # {purpose}\n"));
            }
            text.push_str(&format!("        \"{}\"\n", right.subject));
        }
        text.push_str("      ] }\n");
    }
    text.push_str("    } }\n");
}

/// Writes the commands of nsc that make these users, in an existing account.
pub fn nsc(logins: &[Login]) -> String {
    let mut text = format!(
        "# Commands of nsc for the account {ACCOUNT}, which needs JetStream:\n\
         #   nsc add account --name {ACCOUNT}\n\
         #   nsc edit account --name {ACCOUNT} --js-mem-storage -1 --js-disk-storage -1 \
         --js-streams -1 --js-consumer -1\n"
    );
    for login in logins {
        text.push_str(&format!("\n# {}\n", login.about));
        for right in &login.rights {
            text.push_str(&format!(
                "#   {} {}: {}\n",
                right.action.as_str(),
                right.subject,
                right.purpose
            ));
        }
        let mut command = format!("nsc add user --account {ACCOUNT} --name '{}'", login.user);
        if login.is_limited() {
            for (action, flag) in [(Action::Publish, "pub"), (Action::Subscribe, "sub")] {
                if login.of(action).next().is_none() {
                    command.push_str(&format!(" \\\n  --deny-{flag} '>'"));
                }
                for right in login.of(action) {
                    command.push_str(&format!(" \\\n  --allow-{flag} '{}'", right.subject));
                }
            }
        }
        text.push_str(&command);
        text.push('\n');
    }
    text
}
