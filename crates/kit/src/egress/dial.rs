//! Connections to addresses that users name, for protocols that are not HTTP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Egress, EgressError, Inside, outside, trusting};
use crate::client::system_roots;

impl Egress {
    /// A connection to where a host's name leads to now. All addresses are looked at before one is called.
    ///
    /// # Errors
    /// The name leads inside, or nobody answers within `patience`.
    pub async fn dial(&self, host: &str, port: u16, patience: Duration) -> Result<TcpStream, EgressError> {
        let unreachable =
            |error: &dyn std::fmt::Display| EgressError::Unreachable(host.to_owned(), error.to_string());
        let work = async {
            let plain = host.trim_start_matches('[').trim_end_matches(']');
            let found = outside((plain, port), &self.allowed).await.map_err(|error| {
                if error.is::<Inside>() {
                    EgressError::Forbidden(host.to_owned())
                } else {
                    unreachable(&error)
                }
            })?;
            let stream = TcpStream::connect(found.as_slice()).await.map_err(|error| unreachable(&error))?;
            stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
            Ok(stream)
        };
        timeout(patience, work).await.unwrap_or_else(|_| Err(EgressError::TimedOut(host.to_owned())))
    }

    /// A connection to an address that [`Self::dial`] has led to.
    ///
    /// # Errors
    /// Nobody answers there any more.
    pub async fn dial_again(
        &self,
        address: SocketAddr,
        patience: Duration,
    ) -> Result<TcpStream, EgressError> {
        self.dial(&address.ip().to_string(), address.port(), patience).await
    }
}

/// TLS to a server that shows who it is, by authorities in PEM, or those of the system where there are none.
///
/// # Errors
/// What is given has no authorities in it.
pub fn connector(authorities: Option<&str>) -> Result<TlsConnector, String> {
    let roots = match authorities {
        None => system_roots()?,
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for authority in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let authority = authority.map_err(|error| error.to_string())?;
                roots.add(authority).map_err(|error| error.to_string())?;
            }
            if roots.is_empty() {
                return Err("there is no certificate in it".to_owned());
            }
            roots
        }
    };
    Ok(TlsConnector::from(Arc::new(trusting(roots)?)))
}

/// Goes on over TLS with a server that must be the one of that name.
///
/// # Errors
/// It is not, or speaks no TLS.
pub async fn secure(
    connector: &TlsConnector,
    stream: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, EgressError> {
    let untrusted =
        |error: &dyn std::fmt::Display| EgressError::Untrusted(host.to_owned(), error.to_string());
    let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(plain).map_err(|error| untrusted(&error))?;
    connector.connect(name, stream).await.map_err(|error| untrusted(&error))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn only_what_is_outside_or_allowed_is_dialled() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let strict = Egress::new(Vec::new());
        for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "::ffff:127.0.0.1"] {
            let refused = strict.dial(host, address.port(), PATIENCE).await.expect_err(host);
            assert!(matches!(refused, EgressError::Forbidden(_)), "{host}: {refused:?}");
        }
        assert!(strict.dial_again(address, PATIENCE).await.is_err());
        let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let stream = egress.dial("127.0.0.1", address.port(), PATIENCE).await.expect("a connection");
        assert_eq!(stream.peer_addr().expect("an address"), address);
        assert!(egress.dial_again(address, PATIENCE).await.is_ok());
    }

    #[test]
    fn authorities_are_certificates() {
        assert!(connector(Some("")).is_err() && connector(Some("-----BEGIN CERTIFICATE-----")).is_err());
        let key = rcgen::KeyPair::generate().expect("a key");
        let made = rcgen::CertificateParams::new(vec!["db.test".to_owned()]).expect("parameters");
        let pem = made.self_signed(&key).expect("a certificate").pem();
        assert!(connector(Some(&pem)).is_ok());
    }
}
