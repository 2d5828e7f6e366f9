//! Calling a service over TLS that asks for our certificate too.

use std::{path::Path, sync::Arc};

use http::Request;
use http_body_util::BodyExt;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt;
use weft_kit::{
    Ids, Lifecycle,
    client::{Circuit, ClientTls, Remote},
    config::ClientOptions,
};
use weft_proto::Methods;

/// A certificate of `localhost` that nobody has signed but itself.
struct Made {
    certificate: CertificateDer<'static>,
    key: String,
}

impl Made {
    fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        let certificate = params.self_signed(&key).expect("it signs");
        std::fs::write(folder.join(format!("{name}.crt")), certificate.pem()).expect("the folder is ours");
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("the folder is ours");
        Self { certificate: certificate.der().clone(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a good certificate");
        Arc::new(roots)
    }
}

/// A service that lets in only who shows the certificate of `client`; its port.
async fn serve(server: &Made, client: &Made, lifecycle: &Lifecycle) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(client.roots(), Arc::clone(&provider));
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("they fit")
        .with_client_cert_verifier(verifier.build().expect("good roots"))
        .with_single_cert(vec![server.certificate.clone()], key)
        .expect("they belong together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let life = lifecycle.clone();
    lifecycle.spawn_future(async move {
        loop {
            let (socket, _) = listener.accept().await.expect("it listens");
            let acceptor = acceptor.clone();
            let service = tower::service_fn(|_| async {
                Ok::<_, std::convert::Infallible>(Status::already_exists("I am here").into_http::<Body>())
            });
            life.spawn_future(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                // How a connection ends is the client's to see.
                let _ =
                    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await;
            });
        }
    });
    port
}

fn remote(port: u16, tls: &ClientTls, lifecycle: &Lifecycle) -> Result<Remote, String> {
    let address = format!("https://localhost:{port}");
    let options = ClientOptions::default();
    Remote::open(&address, tls, &options, Ids::system(), lifecycle, Circuit::Breaks)
}

/// The code that a call over `tls` ends with.
async fn call(port: u16, tls: &ClientTls, lifecycle: &Lifecycle) -> Result<Code, String> {
    Ok(call_over(&remote(port, tls, lifecycle)?).await)
}

async fn call_over(remote: &Remote) -> Code {
    let request = Request::post("/a.B/C").body(Body::empty()).expect("well formed");
    let answer = remote.peer(Arc::new(Methods::default())).oneshot(request).await.expect("an answer");
    let code = Status::from_header_map(answer.headers()).expect("a status").code();
    answer.into_body().collect().await.expect("no error");
    code
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let [server, client, other] = ["server", "client", "other"].map(|name| Made::new(folder.path(), name));
    let lifecycle = Lifecycle::new();
    let port = serve(&server, &client, &lifecycle).await;
    let file = |name: &str| folder.path().join(name);
    let tls = |ca: &str, own: &str| ClientTls {
        ca_file: file(&format!("{ca}.crt")),
        certificate_file: file(&format!("{own}.crt")),
        key_file: file(&format!("{own}.key")),
    };
    assert_eq!(call(port, &tls("server", "client"), &lifecycle).await, Ok(Code::AlreadyExists));
    // It is not whom we trust; we are not whom it trusts; we say nothing of ourselves.
    assert_eq!(call(port, &tls("other", "client"), &lifecycle).await, Ok(Code::Unavailable));
    assert_eq!(call(port, &tls("server", "other"), &lifecycle).await, Ok(Code::Unavailable));
    let silent = ClientTls { ca_file: file("server.crt"), ..ClientTls::default() };
    assert_eq!(call(port, &silent, &lifecycle).await, Ok(Code::Unavailable));
    drop(other);
    lifecycle.shut_down(std::time::Duration::ZERO).await;
}

#[tokio::test]
async fn new_files_count_with_the_next_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let [server, client, _] = ["server", "client", "own"].map(|name| Made::new(folder.path(), name));
    let lifecycle = Lifecycle::new();
    let port = serve(&server, &client, &lifecycle).await;
    let file = |name: &str| folder.path().join(name);
    let tls = ClientTls {
        ca_file: file("server.crt"),
        certificate_file: file("own.crt"),
        key_file: file("own.key"),
    };
    let remote = remote(port, &tls, &lifecycle).expect("good files");
    assert_eq!(call_over(&remote).await, Code::Unavailable, "it is not whom the service trusts");
    // Half of a renewal changes nothing.
    std::fs::copy(file("client.crt"), file("own.crt")).expect("the folder is ours");
    assert_eq!(call_over(&remote).await, Code::Unavailable);
    std::fs::copy(file("client.key"), file("own.key")).expect("the folder is ours");
    assert_eq!(call_over(&remote).await, Code::AlreadyExists);
    lifecycle.shut_down(std::time::Duration::ZERO).await;
}

#[tokio::test]
async fn files_that_are_no_good_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    Made::new(folder.path(), "good");
    let lifecycle = Lifecycle::new();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("empty"), "").expect("the folder is ours");
    let good = ClientTls {
        ca_file: file("good.crt"),
        certificate_file: file("good.crt"),
        key_file: file("good.key"),
    };
    for (tls, said) in [
        (ClientTls { ca_file: file("none"), ..good.clone() }, "none: "),
        (ClientTls { ca_file: file("empty"), ..good.clone() }, "empty: there is no certificate in it"),
        (ClientTls { key_file: "".into(), ..good.clone() }, "certificate_file and key_file go together"),
        (ClientTls { key_file: file("good.crt"), ..good.clone() }, "https://localhost:1: "),
    ] {
        let refused = call(1, &tls, &lifecycle).await.expect_err(said);
        assert!(refused.contains(said), "{refused}");
    }
    lifecycle.shut_down(std::time::Duration::ZERO).await;
}
