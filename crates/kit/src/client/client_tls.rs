//! TLS to a service: whom we trust, who we say that we are, and files that change while we run.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

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

/// What the files say, looked at again with each new connection: who renews a certificate need not tell us.
pub(super) struct Trust {
    files: ClientTls,
    current: Mutex<Current>,
}

struct Current {
    read: Read,
    config: Arc<ClientConfig>,
}

/// What the files hold; nothing where none is named.
#[derive(PartialEq)]
struct Read {
    authorities: Option<Vec<u8>>,
    own: Option<(Vec<u8>, Vec<u8>)>,
}

impl Trust {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, are no PEM, or do not belong together.
    pub(super) fn open(files: &ClientTls) -> Result<Self, String> {
        let read = files.read()?;
        let config = files.config(&read)?;
        Ok(Self { files: files.clone(), current: Mutex::new(Current { read, config }) })
    }

    /// What is said of TLS with a new connection. Files that are no good now leave all as it was: who renews
    /// them may be in the middle of it.
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let again = self.files.read().and_then(|read| {
            if read == current.read {
                return Ok(None);
            }
            self.files.config(&read).map(|config| Some(Current { read, config }))
        });
        match again {
            Ok(None) => {}
            Ok(Some(new)) => {
                tracing::info!(files = ?self.files, "new TLS files are in use");
                *current = new;
            }
            Err(error) => tracing::warn!(error, "TLS files are no good now; what they said before stays"),
        }
        Arc::clone(&current.config)
    }
}

impl ClientTls {
    fn read(&self) -> Result<Read, String> {
        let own = match (is_named(&self.certificate_file), is_named(&self.key_file)) {
            (false, false) => None,
            (true, true) => Some((read(&self.certificate_file)?, read(&self.key_file)?)),
            _ => return Err("certificate_file and key_file go together".to_owned()),
        };
        let authorities = is_named(&self.ca_file).then(|| read(&self.ca_file)).transpose()?;
        Ok(Read { authorities, own })
    }

    fn config(&self, read: &Read) -> Result<Arc<ClientConfig>, String> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(self.roots(read)?);
        let mut config = match &read.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(&self.certificate_file, certificate)?;
                let named = |error: &dyn std::fmt::Display| format!("{}: {error}", self.key_file.display());
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| named(&error))?;
                // Also checks that the two belong together.
                builder.with_client_auth_cert(chain, key).map_err(|error| named(&error))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self, read: &Read) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = &read.authorities {
            for authority in certificates(&self.ca_file, pem)? {
                roots.add(authority).map_err(|error| format!("{}: {error}", self.ca_file.display()))?;
            }
        } else {
            return system_roots();
        }
        Ok(roots)
    }
}

/// The authorities that the system trusts.
pub(crate) fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Systems have old ones that no library takes any more.
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        return Err(format!("the system names no authorities: {:?}", found.errors));
    }
    Ok(roots)
}

fn is_named(file: &Path) -> bool {
    !file.as_os_str().is_empty()
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{}: {error}", file.display()))?;
    // Whoever trusts no authority trusts nobody, and that would be said at each call only.
    if found.is_empty() {
        return Err(format!("{}: there is no certificate in it", file.display()));
    }
    Ok(found)
}
