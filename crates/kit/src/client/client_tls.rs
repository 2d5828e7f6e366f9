//! TLS to a service: whom we trust, and who we say that we are.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// Files of TLS to a service, in PEM. None at all: the system's authorities, and no name of our own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The authorities that its certificate may be from, in place of the system's.
    pub ca_file: PathBuf,
    /// Our certificate, where it asks for one (mTLS), and after it those that lead to its authority.
    pub certificate_file: PathBuf,
    /// The private key of that certificate.
    pub key_file: PathBuf,
}

impl ClientTls {
    /// Reads the files.
    pub(super) fn config(&self) -> Result<ClientTlsConfig, String> {
        let read = |file: &Path| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
        let is_named = |file: &Path| !file.as_os_str().is_empty();
        let mut config = ClientTlsConfig::new();
        if is_named(&self.ca_file) {
            let pem = read(&self.ca_file)?;
            // tonic trusts nobody where it finds no certificate, and says so at each call only.
            if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
                return Err(format!("{}: there is no certificate in it", self.ca_file.display()));
            }
            config = config.ca_certificate(Certificate::from_pem(pem));
        } else {
            config = config.with_native_roots();
        }
        match (is_named(&self.certificate_file), is_named(&self.key_file)) {
            (false, false) => Ok(config),
            (true, true) => {
                let (certificate, key) = (read(&self.certificate_file)?, read(&self.key_file)?);
                Ok(config.identity(Identity::from_pem(certificate, key)))
            }
            _ => Err("certificate_file and key_file go together".to_owned()),
        }
    }
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
