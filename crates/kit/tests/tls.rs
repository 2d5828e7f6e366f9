//! A port that speaks TLS, and whose certificate is renewed under it.

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::body::Body;
use weft_kit::{
    Ids, Lifecycle,
    config::{ConnectionOptions, TlsOptions},
    server::{HttpService, Listener},
};

/// A certificate of `localhost` that nobody has signed but itself.
struct Made {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

impl Made {
    fn new() -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        let certificate = params.self_signed(&key).expect("it signs");
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), key: key.serialize_pem() }
    }

    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("tls.crt"), &self.pem).expect("the folder is ours");
        std::fs::write(folder.join("tls.key"), &self.key).expect("the folder is ours");
    }
}

fn options(folder: &Path) -> ConnectionOptions {
    ConnectionOptions {
        tls: TlsOptions {
            certificate_file: folder.join("tls.crt"),
            key_file: folder.join("tls.key"),
            reload_interval: Duration::from_millis(20),
            hsts_max_age: Duration::from_hours(1),
        },
        ..ConnectionOptions::default()
    }
}

/// A port that says which version of HTTP it is asked in.
async fn serve(options: ConnectionOptions) -> (SocketAddr, Lifecycle) {
    let listener = Listener::bind("127.0.0.1:0", options).await.expect("a free port and good files");
    let address = listener.local_address().expect("it is bound");
    let lifecycle = Lifecycle::new();
    let service = tower::service_fn(|request: Request<Body>| async move {
        let text = format!("{:?}", request.version());
        Ok::<_, Infallible>(Response::new(Body::new(Full::new(Bytes::from(text)))))
    });
    let serving = listener.serve(HttpService::new(service), Ids::system(), lifecycle.clone());
    lifecycle.spawn_future(serving);
    (address, lifecycle)
}

async fn dial(
    address: SocketAddr,
    trusted: &[&Made],
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for made in trusted {
        roots.add(made.certificate.clone()).expect("a good certificate");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("they fit")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a good name");
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

/// What the port answers over a connection, in the version that was agreed on.
async fn ask(stream: TlsStream<TcpStream>) -> (Version, HeaderMap, String) {
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = Request::get("https://localhost/").header("host", "localhost");
    let request = request.body(Full::new(Bytes::new())).expect("a good request");
    let io = TokioIo::new(stream);
    let response = if is_http2 {
        let (mut send, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("it speaks HTTP/2");
        tokio::select! {
            response = send.send_request(request) => response.expect("an answer"),
            ended = connection => panic!("{ended:?}"),
        }
    } else {
        let (mut send, connection) =
            hyper::client::conn::http1::handshake(io).await.expect("it speaks HTTP/1.1");
        tokio::select! {
            response = send.send_request(request) => response.expect("an answer"),
            ended = connection => panic!("{ended:?}"),
        }
    };
    let (parts, body) = response.into_parts();
    let text = body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    (parts.version, parts.headers, text.unwrap_or_default())
}

#[tokio::test]
async fn the_version_of_http_is_agreed_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Made::new();
    made.write(folder.path());
    let (address, _lifecycle) = serve(options(folder.path())).await;
    for (alpn, agreed, version) in [
        (&["h2", "http/1.1"][..], Some("h2"), Version::HTTP_2),
        (&["http/1.1"], Some("http/1.1"), Version::HTTP_11),
        (&[], None, Version::HTTP_11),
    ] {
        let stream = dial(address, &[&made], alpn).await.expect("it is trusted");
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
        let (answered, headers, _) = ask(stream).await;
        assert_eq!(answered, version);
        assert_eq!(headers["strict-transport-security"], "max-age=3600");
    }
    assert!(dial(address, &[&Made::new()], &[]).await.is_err(), "nobody signed for it");
    assert!(dial(address, &[&made], &["spdy/3"]).await.is_err(), "there is no such protocol");
}

#[tokio::test]
async fn a_client_that_does_not_get_to_its_request_is_let_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Made::new();
    made.write(folder.path());
    let options = ConnectionOptions { header_timeout: Duration::from_secs(1), ..options(folder.path()) };
    let (address, _lifecycle) = serve(options).await;
    // Plain text, the beginning of a handshake, nothing at all: each ends, and nobody waits for ever.
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01", b""] {
        let mut socket = TcpStream::connect(address).await.expect("it listens");
        socket.write_all(said).await.expect("it listens");
        let mut rest = Vec::new();
        // What is left to read is an alert of TLS at most.
        let _ = socket.read_to_end(&mut rest).await;
        assert!(rest.len() < 16, "{rest:?}");
    }
    // A handshake, and then nothing.
    let mut stream = dial(address, &[&made], &["h2"]).await.expect("it is trusted");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{rest:?}");
    // Others are served meanwhile and after.
    assert_eq!(ask(dial(address, &[&made], &["h2"]).await.expect("it is trusted")).await.2, "HTTP/2.0");
}

#[tokio::test]
async fn a_flood_is_seen_through_the_encryption() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Made::new();
    made.write(folder.path());
    // The same address comes back at once, and decently.
    let forgiving = ConnectionOptions { flood_pause: Duration::ZERO, ..options(folder.path()) };
    let (address, _lifecycle) = serve(forgiving).await;
    let stream = dial(address, &[&made], &["h2"]).await.expect("it is trusted");
    let (mut from, mut to) = tokio::io::split(stream);
    let flood = async {
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0";
        let mut sent = to.write_all(hello).await;
        // It is cut off, and does not end by itself.
        while sent.is_ok() {
            sent = to.write_all(&b"\0\0\x08\x06\0\0\0\0\0........".repeat(100)).await;
        }
    };
    let read = async {
        let mut nothing = vec![0; 4096];
        while from.read(&mut nothing).await.is_ok_and(|length| length > 0) {}
    };
    let cut = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(flood, read) });
    cut.await.expect("it is cut off");
    assert_eq!(ask(dial(address, &[&made], &["h2"]).await.expect("it is trusted")).await.2, "HTTP/2.0");
}

#[tokio::test]
async fn a_new_certificate_counts_without_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Made::new(), Made::new());
    old.write(folder.path());
    let (address, _lifecycle) = serve(options(folder.path())).await;
    let before = dial(address, &[&old], &["http/1.1"]).await.expect("it is trusted");
    new.write(folder.path());
    let renewed = async {
        while dial(address, &[&new], &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), renewed).await.expect("it looks at its files");
    assert!(dial(address, &[&old], &[]).await.is_err(), "the old one is gone");
    // Who was connected stays connected.
    assert_eq!(ask(before).await.2, "HTTP/1.1");
}

#[tokio::test]
async fn files_that_are_not_good_are_found_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (Made::new(), Made::new());
    let at = |name: &str| folder.path().join(name);
    one.write(folder.path());
    std::fs::write(at("other.key"), &other.key).expect("the folder is ours");
    std::fs::write(at("empty"), "").expect("the folder is ours");
    for (certificate, key, says) in [
        ("tls.crt", "", "both"),
        ("", "tls.key", "both"),
        ("nowhere", "tls.key", "nowhere"),
        ("empty", "tls.key", "no certificate"),
        ("tls.crt", "empty", "empty"),
        ("tls.crt", "other.key", "other.key"),
    ] {
        let path = |name: &str| if name.is_empty() { name.into() } else { at(name) };
        let tls =
            TlsOptions { certificate_file: path(certificate), key_file: path(key), ..TlsOptions::default() };
        let options = ConnectionOptions { tls, ..ConnectionOptions::default() };
        let error = Listener::bind("127.0.0.1:0", options).await.expect_err(says);
        assert!(error.to_string().contains(says), "{error}");
    }
}
