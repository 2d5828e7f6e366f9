//! A connection to a mesh for HTTP/1.1, which gets through where nothing else does: proxies that know no
//! HTTP/2 pass requests and WebSockets on.

use std::{io, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use http::{Uri, uri::Authority};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of a connection.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// How one mesh is reached.
#[derive(Clone)]
pub(crate) struct Dial {
    authority: Authority,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Dial {
    /// To whom `uri` names; over TLS where its scheme is `wss` or `https`. Trusted is what the system trusts, and the
    /// authorities in `ca_file` besides.
    ///
    /// # Errors
    /// It names no host, or the file is no good.
    pub(crate) fn new(uri: &Uri, ca_file: Option<&Path>) -> Result<Self> {
        let authority = uri.authority().cloned().with_context(|| format!("{uri} names no host"))?;
        let tls = if matches!(uri.scheme_str(), Some("wss" | "https")) {
            let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            Some((Arc::new(config(ca_file)?), ServerName::try_from(host)?))
        } else {
            None
        };
        Ok(Self { authority, tls })
    }

    /// Whom requests name as their host.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody is there, or it is somebody else.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        timeout(PATIENCE, self.connect_at_leisure()).await?
    }

    async fn connect_at_leisure(&self) -> io::Result<Box<dyn Wire>> {
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let socket = TcpStream::connect((host, port)).await?;
        socket.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(socket),
            Some((config, name)) => {
                Box::new(TlsConnector::from(Arc::clone(config)).connect(name.clone(), socket).await?)
            }
        })
    }
}

fn config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // Systems have old ones that no library takes any more.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let named = || file.display().to_string();
        let pem = std::fs::read(file).with_context(named)?;
        for authority in CertificateDer::pem_slice_iter(&pem) {
            let authority = authority.map_err(|error| anyhow!("{}: {error}", named()))?;
            roots.add(authority).with_context(named)?;
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
