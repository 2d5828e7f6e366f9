//! Making a connection: TCP, TLS where the address says so, HTTP/2.

use std::{fmt::Display, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::{
    Uri,
    uri::{self, Authority, PathAndQuery, Scheme},
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::client_tls::{ClientTls, Trust};
use crate::config::ClientOptions;

/// What a stream and what a connection may send before we have read it, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Most bytes of the headers of an answer.
const HEADERS: u32 = 16 * 1024;
/// Streams before the server has said how many it takes. It would refuse those beyond.
const FIRST_STREAMS: usize = 100;

/// How a service is reached, whatever address its name has at the time.
pub(super) struct Dial {
    scheme: Scheme,
    pub(super) authority: Authority,
    targets: Vec<Target>,
    trust: Option<(Trust, ServerName<'static>)>,
    timeout: Duration,
}

/// A name, or an address, and a port.
pub(super) type Target = (String, u16);

/// Bytes of a connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// What must be polled for anything to happen on a connection.
pub(super) type Driven = client::Connection<Box<dyn Wire>>;

/// The host, and the port that it says or that everybody knows.
fn target(authority: &Authority, is_secure: bool) -> Result<Target, String> {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_said = !authority.as_str().ends_with(authority.host());
    match authority.port_u16() {
        None if is_said => Err(format!("{authority} has no good port")),
        port => Ok((host, port.unwrap_or(if is_secure { 443 } else { 80 }))),
    }
}

impl Dial {
    /// Reads `address`, and the files of `tls` where it begins with `https:`. It may name several hosts, with commas
    /// between them (`http://10.0.0.1:50051,10.0.0.2:50051`): they are one service, which goes by the first name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(address: &str, tls: &ClientTls, options: &ClientOptions) -> Result<Self, String> {
        let wrong = |error: &dyn Display| format!("{address}: {error}");
        let mut hosts = address.split(',').map(str::trim);
        let uri: Uri = hosts.next().unwrap_or_default().parse().map_err(|error| wrong(&error))?;
        let authority = uri.authority().cloned().ok_or_else(|| wrong(&"names no host"))?;
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let scheme = if is_secure { Scheme::HTTPS } else { Scheme::HTTP };
        let first = target(&authority, is_secure).map_err(|error| wrong(&error))?;
        let trust = if is_secure {
            let name = ServerName::try_from(first.0.clone()).map_err(|error| wrong(&error))?;
            Some((Trust::open(tls).map_err(|error| wrong(&error))?, name))
        } else {
            None
        };
        let mut targets = vec![first];
        for host in hosts {
            let other: Authority = host.parse().map_err(|error| wrong(&error))?;
            targets.push(target(&other, is_secure).map_err(|error| wrong(&error))?);
        }
        Ok(Self { scheme, authority, targets, trust, timeout: options.connect_timeout })
    }

    /// What a request to `path` at this service asks for.
    pub(super) fn uri(&self, path: Option<PathAndQuery>) -> Uri {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("all three are there")
    }

    /// How long connecting may take, and looking up.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whom to look up.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Connects to `address`, or to the first that answers of those that the first name has now.
    pub(super) async fn connect(
        &self,
        address: Option<SocketAddr>,
    ) -> io::Result<(SendRequest<Bytes>, Driven)> {
        tokio::time::timeout(self.timeout, self.connect_at_leisure(address)).await?
    }

    async fn connect_at_leisure(
        &self,
        address: Option<SocketAddr>,
    ) -> io::Result<(SendRequest<Bytes>, Driven)> {
        let socket = match address {
            Some(address) => TcpStream::connect(address).await?,
            None => TcpStream::connect(&self.targets[0]).await?,
        };
        socket.set_nodelay(true)?;
        let wire: Box<dyn Wire> = match &self.trust {
            None => Box::new(socket),
            Some((trust, name)) => {
                let stream = TlsConnector::from(trust.config()).connect(name.clone(), socket).await?;
                if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(io::Error::new(io::ErrorKind::Unsupported, "it does not speak HTTP/2"));
                }
                Box::new(stream)
            }
        };
        client::Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_max_send_streams(FIRST_STREAMS)
            .max_header_list_size(HEADERS)
            .enable_push(false)
            .handshake(wire)
            .await
            .map_err(io::Error::other)
    }
}
