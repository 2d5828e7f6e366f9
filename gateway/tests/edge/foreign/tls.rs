//! A service that speaks TLS, and asks the gateway who it is.

use std::{path::PathBuf, sync::Arc};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;
use weft_gateway::UpstreamOptions;

use super::world::{Server, Tells, World, descriptors, methods, refused_as};

/// A certificate of `localhost` that nobody has signed but itself, and where a configuration finds it.
struct Made {
    der: CertificateDer<'static>,
    pem_key: String,
    certificate_file: PathBuf,
    key_file: PathBuf,
}

impl Made {
    fn new(world: &World, name: &str) -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        let certificate = params.self_signed(&key).expect("it signs");
        let pem_key = key.serialize_pem();
        Self {
            certificate_file: world.file(&format!("{name}.crt"), certificate.pem().as_bytes()),
            key_file: world.file(&format!("{name}.key"), pem_key.as_bytes()),
            der: certificate.der().clone(),
            pem_key,
        }
    }

    /// A door of this name that lets in only who shows the certificate of `guest`.
    fn door(&self, guest: &Self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(guest.der.clone()).expect("a good certificate");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let key = PrivateKeyDer::from_pem_slice(self.pem_key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("they fit")
            .with_client_cert_verifier(verifier.expect("good roots"))
            .with_single_cert(vec![self.der.clone()], key)
            .expect("they belong together");
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_our_certificate_is_reached_with_it_and_not_without() {
    let mut world = World::new();
    let [theirs, ours, other] = ["theirs", "ours", "other"].map(|name| Made::new(&world, name));
    let server = Server::start_behind(Tells::V1, Some(theirs.door(&ours))).await;
    let silent = UpstreamOptions { ca_file: theirs.certificate_file.clone(), ..server.options() };
    let showing = |made: &Made| UpstreamOptions {
        certificate_file: made.certificate_file.clone(),
        key_file: made.key_file.clone(),
        ..silent.clone()
    };
    world.add("theirs", showing(&ours));
    world.served("theirs", methods()).await;
    assert_eq!(world.call("", "Echo", r#"{"stringValue": "a"}"#).await.ok()["stringValue"], "a");
    world.remove("theirs");

    // It tells nothing of itself to those whom it does not know, and answers no call.
    let file = world.file("echo.binpb", &descriptors());
    for options in [silent.clone(), showing(&other)] {
        world.add("asked", options.clone());
        let problem = world.problem("asked").await;
        assert!(problem.starts_with("it cannot be asked by reflection: "), "{problem}");
        world.remove("asked");
        let services = vec!["test.v1.EchoService".to_owned()];
        world.add("told", UpstreamOptions { descriptors: file.clone(), services, ..options });
        world.served("told", methods()).await;
        refused_as(&world.call("", "Echo", "{}").await, "unavailable", 503);
        world.remove("told");
    }
    server.stop().await;
}
