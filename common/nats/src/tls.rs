//! TLS: its settings, and the causes of its failures.

use std::error::Error;
use std::fs;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_nats::rustls::{self, AlertDescription, CertificateError};
use async_nats::{ConnectErrorKind, ConnectOptions};

use super::context::{Settings, expand_home};

/// Time limit for a server's answer to a TLS handshake, when it is tested whether it
/// expects one: a server that does takes milliseconds.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// Adds the settings for TLS.
pub(super) fn with_tls(
    mut options: ConnectOptions,
    settings: &Settings,
) -> anyhow::Result<ConnectOptions> {
    if let Some(ca) = &settings.ca {
        check_pem("authority (ca)", ca, "CERTIFICATE")?;
        options = options.add_root_certificates(expand_home(ca));
    }
    match (&settings.cert, &settings.key) {
        (Some(cert), Some(key)) => {
            check_pem("client certificate (cert)", cert, "CERTIFICATE")?;
            check_pem("client key (key)", key, "PRIVATE KEY")?;
            options = options.add_client_certificate(expand_home(cert), expand_home(key));
        }
        (None, None) => {}
        (Some(_), None) => bail!("a client certificate (cert) needs its key file (key)"),
        (None, Some(_)) => bail!("a client key (key) needs its certificate file (cert)"),
    }
    if settings.tls_first == Some(true) {
        options = options.tls_first();
    }
    // Otherwise an attacker between could remove TLS from the server's first message, and
    // get the login in plain text.
    Ok(options.require_tls(is_wanted(settings)))
}

/// Returns whether the settings are of use with TLS only.
fn is_wanted(settings: &Settings) -> bool {
    settings.ca.is_some() || settings.cert.is_some() || settings.tls_first == Some(true)
}

/// Checks a PEM file: the client library treats a file without a certificate as one that
/// trusts nobody, and names no file that it cannot read.
fn check_pem(what: &str, path: &str, label: &str) -> anyhow::Result<()> {
    let path = expand_home(path);
    let text = fs::read(&path)
        .with_context(|| format!("cannot read the file of the {what}, {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let is_begin = |line: &str| line.starts_with("-----BEGIN ") && line.contains(label);
    if !text.lines().any(is_begin) {
        bail!(
            "the file of the {what}, {}, has no {label} in PEM form",
            path.display()
        );
    }
    Ok(())
}

/// Returns the remedy for an error of TLS.
pub(super) fn advice(error: &(dyn Error + 'static), settings: &Settings) -> Option<String> {
    let fault = fault(error)?;
    if let rustls::Error::InvalidCertificate(fault) = fault {
        return Some(certificate_advice(fault, settings));
    }
    if let rustls::Error::AlertReceived(alert) = fault {
        return Some(alert_advice(*alert, settings).to_owned());
    }
    let is_plain = matches!(fault, rustls::Error::InvalidMessage(_));
    let advice = match (is_plain, settings.tls_first == Some(true)) {
        (true, true) => {
            "the server begins in plain text; leave tls_first out, or set handshake_first in \
             its tls block"
        }
        (true, false) => {
            "the server speaks plain text, and TLS is asked for here; give it a tls block, or \
             leave out ca, cert and tls:// here"
        }
        (false, _) => "the TLS handshake broke off; the server's log may show more",
    };
    Some(advice.to_owned())
}

/// Finds the error of the TLS library among the causes; `io::Error` hides what it wraps
/// from the chain.
fn fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<rustls::Error>() {
            return Some(fault);
        }
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// Returns the remedy if the certificate of the server is not accepted here.
fn certificate_advice(fault: &CertificateError, settings: &Settings) -> String {
    use CertificateError as Fault;

    let advice = if matches!(fault, Fault::UnknownIssuer | Fault::BadSignature) {
        return match &settings.ca {
            Some(ca) => format!(
                "the server's certificate is of another authority than those in {ca}; set ca to \
                 the one that issued it"
            ),
            None => "the server's certificate is of an authority that this host does not know; \
                     set ca to its certificate"
                .to_owned(),
        };
    } else if matches!(
        fault,
        Fault::NotValidForName | Fault::NotValidForNameContext { .. }
    ) {
        "the server's certificate is for another host name; connect by a name that it is for, \
         or have one issued for this name"
    } else if matches!(fault, Fault::Expired | Fault::ExpiredContext { .. }) {
        "the server's certificate has expired; have it renewed, or set this host's clock right"
    } else if matches!(fault, Fault::NotValidYet | Fault::NotValidYetContext { .. }) {
        "the server's certificate is not valid yet; set this host's clock right"
    } else {
        "the server's certificate is not accepted"
    };
    advice.to_owned()
}

/// Returns the remedy if the server does not accept this client.
fn alert_advice(alert: AlertDescription, settings: &Settings) -> &'static str {
    use AlertDescription as Alert;

    let is_about_certificate = [
        Alert::CertificateRequired,
        Alert::BadCertificate,
        Alert::UnsupportedCertificate,
        Alert::CertificateRevoked,
        Alert::CertificateUnknown,
        Alert::HandshakeFailure,
    ]
    .contains(&alert);
    match (alert, settings.cert.is_some()) {
        (Alert::UnknownCA, true) => {
            "the server does not know the authority of the client certificate (cert); have one \
             issued by the authority in its ca_file"
        }
        (Alert::CertificateExpired, true) => {
            "the client certificate (cert) has expired; have it renewed"
        }
        (_, true) if is_about_certificate => "the server refuses the client certificate (cert)",
        (_, false) if is_about_certificate => {
            "the server wants a client certificate; set cert and key"
        }
        _ => "the server ended the TLS handshake; its log may show more",
    }
}

/// Returns whether a server that sends nothing answers a TLS handshake. No login is sent.
pub(super) async fn is_awaited_first(settings: &Settings, addresses: &[&str]) -> bool {
    let mut options = ConnectOptions::new()
        .connection_timeout(PROBE_LIMIT)
        .tls_first();
    if let Some(ca) = &settings.ca {
        options = options.add_root_certificates(expand_home(ca));
    }
    match options.connect(addresses).await {
        Ok(_) => true,
        Err(error) if error.kind() == ConnectErrorKind::AuthorizationViolation => true,
        Err(error) => {
            fault(&error).is_some_and(|fault| !matches!(fault, rustls::Error::InvalidMessage(_)))
        }
    }
}
