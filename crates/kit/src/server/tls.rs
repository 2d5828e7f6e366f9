//! TLS on a port: certificates from files, looked at again while the process runs.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::HeaderValue;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::{Lifecycle, TaskKind, config::TlsOptions};

/// What a port needs to speak TLS.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files; `None` where none are named.
    ///
    /// # Errors
    /// Only one of the files is named, or they cannot be read, or do not belong together.
    pub(super) async fn load(options: &TlsOptions) -> io::Result<Option<Self>> {
        match (options.certificate_file.as_os_str().is_empty(), options.key_file.as_os_str().is_empty()) {
            (true, true) => return Ok(None),
            (false, false) => {}
            _ => return Err(wrong("server.tls needs both certificate_file and key_file".to_owned())),
        }
        let provider = Arc::new(ring::default_provider());
        let certificate = Arc::new(Certificate::load(options.clone(), Arc::clone(&provider)).await?);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Clients that come back need no new key exchange. A ticket is good for twelve hours at most.
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate }))
    }

    /// Looks at the files again and again, until the process ends.
    pub(super) fn watch(&self, lifecycle: &Lifecycle) {
        let certificate = Arc::clone(&self.certificate);
        lifecycle.spawn("tls-certificate", TaskKind::Background, move |life| {
            let certificate = Arc::clone(&certificate);
            async move {
                loop {
                    tokio::select! {
                        () = tokio::time::sleep(certificate.interval()) => certificate.reload().await,
                        () = life.draining() => return Ok::<_, Infallible>(()),
                    }
                }
            }
        });
    }
}

/// `strict-transport-security`, where browsers shall be told.
pub(super) fn strict_transport(options: &TlsOptions) -> Option<HeaderValue> {
    let seconds = options.hsts_max_age.as_secs();
    (seconds > 0).then(|| HeaderValue::try_from(format!("max-age={seconds}")).expect("digits"))
}

/// The certificate that new connections get.
struct Certificate {
    options: TlsOptions,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

struct Current {
    /// What the files held. They are small, and a file's time says less than what is in it.
    files: Files,
    key: Arc<CertifiedKey>,
}

#[derive(PartialEq)]
struct Files {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    async fn load(options: TlsOptions, provider: Arc<CryptoProvider>) -> io::Result<Self> {
        let files = Files::read(&options).await?;
        let key = files.certified(&options, &provider)?;
        Ok(Self { options, provider, current: RwLock::new(Current { files, key }) })
    }

    fn interval(&self) -> Duration {
        self.options.reload_interval.max(Duration::from_millis(1))
    }

    /// Takes what is in the files now, if it is good. Who renews a certificate may be in the middle of
    /// it: what is there stays until both files are there and belong together.
    async fn reload(&self) {
        let files = match Files::read(&self.options).await {
            Ok(files) => files,
            Err(error) => {
                return tracing::warn!(%error, "the TLS certificate cannot be read again; the old one stays");
            }
        };
        if self.current.read().unwrap_or_else(PoisonError::into_inner).files == files {
            return;
        }
        match files.certified(&self.options, &self.provider) {
            Ok(key) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { files, key };
                tracing::info!("a new TLS certificate is in use");
            }
            Err(error) => tracing::warn!(%error, "the new TLS certificate is not good; the old one stays"),
        }
    }
}

impl Files {
    async fn read(options: &TlsOptions) -> io::Result<Self> {
        let read = async |path: &std::path::Path| {
            let read = tokio::fs::read(path).await;
            read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        Ok(Self { certificates: read(&options.certificate_file).await?, key: read(&options.key_file).await? })
    }

    fn certified(&self, options: &TlsOptions, provider: &CryptoProvider) -> io::Result<Arc<CertifiedKey>> {
        let (certificate_file, key_file) = (options.certificate_file.display(), options.key_file.display());
        let chain = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(format!("{certificate_file}: {error}")))?;
        if chain.is_empty() {
            return Err(wrong(format!("{certificate_file}: there is no certificate in it")));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| wrong(format!("{key_file}: {error}")))?;
        // Also checks that the two belong together.
        let certified = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| wrong(format!("{certificate_file} and {key_file}: {error}")))?;
        Ok(Arc::new(certified))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificate").field("files", &self.options).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate and its key, in PEM.
    fn made() -> (String, String) {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        (params.self_signed(&key).expect("it signs").pem(), key.serialize_pem())
    }

    fn write(folder: &Path, certificate: &str, key: &str) {
        std::fs::write(folder.join("tls.crt"), certificate).expect("the folder is ours");
        std::fs::write(folder.join("tls.key"), key).expect("the folder is ours");
    }

    #[tokio::test]
    async fn half_a_renewal_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let ((old, old_key), (new, new_key)) = (made(), made());
        write(folder.path(), &old, &old_key);
        let options = TlsOptions {
            certificate_file: folder.path().join("tls.crt"),
            key_file: folder.path().join("tls.key"),
            ..TlsOptions::default()
        };
        let tls = Tls::load(&options).await.expect("good files").expect("they are named");
        let current = || Arc::clone(&tls.certificate.current.read().expect("nobody panicked").key);
        let first = current();
        let broken = "-----BEGIN PRIVATE KEY-----\nxx\n";
        for (certificate, key) in
            [(&old, &old_key), (&new, &old_key), (&old, &new_key), (&new, &broken.to_owned())]
        {
            write(folder.path(), certificate, key);
            tls.certificate.reload().await;
            assert!(Arc::ptr_eq(&first, &current()));
        }
        std::fs::remove_file(&options.key_file).expect("it is there");
        tls.certificate.reload().await;
        assert!(Arc::ptr_eq(&first, &current()));
        write(folder.path(), &new, &new_key);
        tls.certificate.reload().await;
        assert!(!Arc::ptr_eq(&first, &current()));
    }

    #[tokio::test]
    async fn no_files_are_no_tls() {
        assert!(Tls::load(&TlsOptions::default()).await.expect("nothing is wrong").is_none());
    }
}
