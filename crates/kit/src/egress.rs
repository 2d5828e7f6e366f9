//! Calls to addresses that users name, as of webhooks and of workflows: out of the mesh, and never into the network that
//! it runs in.
//!
//! A name is resolved here, every address that it leads to is looked at, and the connection goes to one of these very
//! addresses: what the name says a moment later does not matter. Addresses that are not of the public internet (private,
//! loopback, link-local with the metadata services of clouds, and so on) are refused, however they are written, unless
//! the configuration names their network. Redirects are answers like any other: who follows one looks at it as at the
//! first address, because it is sent by the same way.

mod address;
mod dial;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::net::lookup_host;

pub use dial::{connector, secure};

use crate::{client::system_roots, config::Network};

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a call out did not come to an answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EgressError {
    /// It is no address that can be called.
    #[error("the address {0}")]
    Address(&'static str),
    /// It leads into a network that may not be called.
    #[error("{0} leads to an address that may not be called")]
    Forbidden(String),
    /// Nobody answers there, or something else than HTTP.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// The answer took too long.
    #[error("{0} did not answer in time")]
    TimedOut(String),
    /// What answers there cannot be talked to over TLS, or is not who it should be.
    #[error("{0} has no TLS that can be trusted: {1}")]
    Untrusted(String, String),
    /// The answer is larger than it may be.
    #[error("{0} answered with more than {1} bytes")]
    TooLarge(String, usize),
}

/// Calls out. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Egress {
    allowed: Arc<[Network]>,
    /// Or why there is none: then every call says so.
    client: Result<Client, String>,
}

impl Egress {
    /// Calls to the public internet, and to the networks in `allowed`.
    pub fn new(allowed: Vec<Network>) -> Self {
        let allowed: Arc<[Network]> = allowed.into();
        let client = tls().and_then(|tls| {
            Client::builder()
                .tls_backend_preconfigured(tls)
                .redirect(Policy::none())
                // Another's proxy would resolve names, and reach what we must not.
                .no_proxy()
                .connect_timeout(CONNECT)
                .user_agent(concat!("weft/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Outside(Arc::clone(&allowed)))
                .build()
                .map_err(told)
        });
        Self { allowed, client }
    }

    /// Looks at an address without calling it: its form, and whether it names a network address that is refused in any
    /// case. What a host's name leads to is looked at with each call.
    ///
    /// # Errors
    /// It cannot be called.
    pub fn check(&self, uri: &Uri) -> Result<(), EgressError> {
        self.target(uri).map(drop)
    }

    fn target(&self, uri: &Uri) -> Result<Url, EgressError> {
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(EgressError::Address("must begin with https:// or http://"));
        }
        let url = Url::parse(&uri.to_string()).map_err(|_| EgressError::Address("names no host"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Address("must not have a user or a password in it"));
        }
        let host = url.host_str().ok_or(EgressError::Address("names no host"))?;
        // A URL has numbers of every notation in one form.
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) if !may_call(address, &self.allowed) => Err(EgressError::Forbidden(host.to_owned())),
            _ => Ok(url),
        }
    }

    /// Sends a request, whose URI is absolute, and gives the answer: its body is read up to `most` bytes.
    ///
    /// # Errors
    /// There is none within `patience`, the body is larger, or the address may not be called.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        patience: Duration,
        most: usize,
    ) -> Result<Response<Bytes>, EgressError> {
        let url = self.target(request.uri())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client =
            self.client.as_ref().map_err(|error| EgressError::Unreachable(host.clone(), error.clone()))?;
        let (head, body) = request.into_parts();
        let sent = client.request(head.method, url).headers(head.headers).body(body).timeout(patience);
        let mut answer = sent.send().await.map_err(|error| failed(&host, error))?;
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&host, error))? {
            if body.len() + chunk.len() > most {
                return Err(EgressError::TooLarge(host, most));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn tls() -> Result<ClientConfig, String> {
    trusting(system_roots()?)
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn may_call(address: IpAddr, allowed: &[Network]) -> bool {
    address::is_public(address)
        || allowed.iter().any(|network| network.contains(address) || network.contains(address.to_canonical()))
}

/// Resolves names to addresses outside. One that may not be called among others is a trap as well.
#[derive(Debug)]
struct Outside(Arc<[Network]>);

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let found = outside((name.as_str(), 0), &allowed).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Where a name leads to, if none of that is inside.
async fn outside(
    place: (&str, u16),
    allowed: &[Network],
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let found: Vec<SocketAddr> = lookup_host(place).await?.collect();
    if found.iter().any(|address| !may_call(address.ip(), allowed)) {
        return Err(Box::new(Inside));
    }
    Ok(found)
}

/// A name leads inside.
#[derive(Debug, thiserror::Error)]
#[error("it leads inside")]
struct Inside;

fn failed(host: &str, error: reqwest::Error) -> EgressError {
    let host = host.to_owned();
    if causes(&error).any(<dyn Error>::is::<Inside>) {
        return EgressError::Forbidden(host);
    }
    if error.is_timeout() { EgressError::TimedOut(host) } else { EgressError::Unreachable(host, told(error)) }
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}

/// An error with its causes. Its address is left out: there may be words in it that are nobody else's.
fn told(error: reqwest::Error) -> String {
    causes(&error.without_url()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn loopback() -> Vec<Network> {
        vec!["127.0.0.0/8".parse().expect("a network")]
    }

    fn request(url: &str) -> Request<Bytes> {
        Request::post(url).body(Bytes::from_static(b"hello")).expect("a request")
    }

    #[tokio::test]
    async fn what_is_inside_is_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let egress = Egress::new(Vec::new());
        for host in
            ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"]
        {
            let url = format!("http://{host}:{port}/");
            let refused = egress.send(request(&url), PATIENCE, 100).await.expect_err(host);
            assert!(matches!(refused, EgressError::Forbidden(_)), "{host}: {refused:?}");
        }
        // Nobody has knocked.
        assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err());
        for url in ["ftp://example.org/", "http://user:word@example.org/", "/path"] {
            let refused = egress.check(&url.parse().expect(url)).expect_err(url);
            assert!(matches!(refused, EgressError::Address(_)), "{url}");
        }
        assert!(egress.check(&"http://169.254.169.254/latest".parse().expect("a URI")).is_err());
        assert!(egress.check(&"https://example.org/hook?a=b".parse().expect("a URI")).is_ok());
    }

    #[tokio::test]
    async fn what_is_allowed_is_called_and_a_redirect_is_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut heard = vec![0; 4_096];
            let read = stream.read(&mut heard).await.expect("a request");
            let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 2\r\n\r\nno";
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&heard[..read]).into_owned()
        };
        let egress = Egress::new(loopback());
        let url = format!("http://{address}/hook?a=b");
        let (heard, answer) = tokio::join!(serve, egress.send(request(&url), PATIENCE, 100));
        let answer = answer.expect("an answer");
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (302, &b"no"[..]));
        assert!(heard.starts_with("POST /hook?a=b HTTP/1.1\r\n") && heard.ends_with("hello"), "{heard}");
        assert!(heard.contains(&format!("host: {address}\r\n")), "{heard}");
    }

    #[tokio::test]
    async fn who_says_too_much_or_nothing_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let egress = Egress::new(loopback());
        let silent = egress.send(request(&url), Duration::from_millis(50), 100).await;
        assert!(matches!(silent, Err(EgressError::TimedOut(_))), "{silent:?}");
        let (first, _) = listener.accept().await.expect("the first call");
        drop(first);
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut heard = vec![0; 4_096];
            let _ = stream.read(&mut heard).await.expect("a request");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{}", "x".repeat(200));
            // It hangs up in the middle of it.
            let _ = stream.write_all(answer.as_bytes()).await;
        };
        let ((), answer) = tokio::join!(serve, egress.send(request(&url), PATIENCE, 100));
        assert!(matches!(answer, Err(EgressError::TooLarge(_, 100))), "{answer:?}");
    }
}
