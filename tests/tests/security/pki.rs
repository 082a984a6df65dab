//! Certificates and keys of one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rolecast_tests::directory::Directory;

/// An authority that signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Subject and validity of a certificate.
pub(crate) struct Request<'a> {
    /// The stem of the files' names: `<file>.pem` and `<file>-key.pem`.
    pub(crate) file: &'a str,
    pub(crate) name: &'a str,
    pub(crate) usage: ExtendedKeyUsagePurpose,
    pub(crate) has_expired: bool,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Authority(CertifiedIssuer::self_signed(params, key).expect("it can sign itself"))
    }

    /// Writes its certificate to `file`.
    pub(crate) fn write(&self, directory: &Directory, file: &str) {
        directory.write(file, &self.0.pem());
    }

    /// Writes a certificate for a server, and its key.
    pub(crate) fn issue_server(&self, directory: &Directory, file: &str, name: &str) {
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        let has_expired = false;
        self.issue(
            directory,
            &Request {
                file,
                name,
                usage,
                has_expired,
            },
        );
    }

    /// Writes a certificate for a client, and its key.
    pub(crate) fn issue_client(&self, directory: &Directory, name: &str) {
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let has_expired = false;
        self.issue(
            directory,
            &Request {
                file: name,
                name,
                usage,
                has_expired,
            },
        );
    }

    pub(crate) fn issue(&self, directory: &Directory, request: &Request<'_>) {
        let Request { file, name, .. } = request;
        let mut params = params(name);
        params.extended_key_usages = vec![request.usage.clone()];
        if request.has_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params
            .signed_by(&key, &self.0)
            .expect("an authority can sign");
        directory.write(&format!("{file}.pem"), &certificate.pem());
        directory.write(&format!("{file}-key.pem"), &key.serialize_pem());
    }
}

/// Returns the common parameters: the name as subject and, where it is one, as DNS name.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
