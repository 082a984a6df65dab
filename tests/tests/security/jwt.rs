//! An operator, its accounts and their users, as JSON web tokens of NATS.

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::rights::Rights;

/// The same for all: nothing here reads it, and tokens that never expire need no clock.
const ISSUED_S: u64 = 1_700_000_000;

/// An operator with an account for Rolecast and one for the server itself.
pub(crate) struct Operator {
    keys: KeyPair,
    account: KeyPair,
    system: KeyPair,
}

impl Operator {
    pub(crate) fn new() -> Operator {
        Operator {
            keys: KeyPair::new_operator(),
            account: KeyPair::new_account(),
            system: KeyPair::new_account(),
        }
    }

    /// Replaces the placeholders of a configuration by the tokens.
    pub(crate) fn fill(&self, config: &str) -> String {
        let operator = json!({"type": "operator", "version": 2});
        let operator = token(&self.keys, &self.keys.public_key(), &operator);
        config
            .replace("<operator JWT>", &operator)
            .replace("<system account>", &self.system.public_key())
            .replace("<system account JWT>", &self.sign(&self.system, 0))
            .replace("<account>", &self.account.public_key())
            .replace("<account JWT>", &self.sign(&self.account, -1))
    }

    fn sign(&self, account: &KeyPair, storage: i64) -> String {
        let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
            "wildcards": true, "conn": -1, "leaf": -1, "streams": -1, "consumer": -1,
            "mem_storage": storage, "disk_storage": storage});
        let claims = json!({"type": "account", "version": 2, "limits": limits});
        token(&self.keys, &account.public_key(), &claims)
    }

    /// Returns the credentials file of a user of Rolecast's account.
    pub(crate) fn credentials(&self, rights: &Rights) -> String {
        let user = KeyPair::new_user();
        let claims = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1,
            "pub": {"allow": rights.publish}, "sub": {"allow": rights.subscribe}});
        let token = token(&self.account, &user.public_key(), &claims);
        let seed = user.seed().expect("a new key has a seed");
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// Returns a token about `subject`, signed by its issuer.
fn token(issuer: &KeyPair, subject: &str, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let body = json!({"jti": subject, "iat": ISSUED_S, "iss": issuer.public_key(),
        "name": "rolecast", "sub": subject, "nats": claims});
    let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
    let signed = format!("{}.{}", encode(&header), encode(&body));
    let signature = issuer.sign(signed.as_bytes()).expect("it has a seed");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
