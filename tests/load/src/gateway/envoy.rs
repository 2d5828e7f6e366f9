//! Envoy, set up to do what our gateway does for unary calls: gRPC, gRPC-web, Connect, and REST by the
//! same descriptors.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// A process of Envoy's, ended when it is dropped.
pub(super) struct Envoy {
    child: Child,
    /// Where it listens.
    pub(super) address: String,
}

impl Envoy {
    /// Starts `program` in front of the gRPC services at `upstream`.
    pub(super) async fn start(program: &Path, folder: &Path, upstream: &str) -> Result<Self> {
        // Envoy cannot tell which port it was given, so it is given one that was free just now.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let descriptors = folder.join("descriptors.bin");
        fs::write(&descriptors, weft_proto::DESCRIPTORS)?;
        let settings = folder.join("envoy.json");
        let upstream = upstream.parse().context("the service listens on an address")?;
        fs::write(&settings, config(address, upstream, &descriptors).to_string())?;
        let log = folder.join("envoy.log");
        let mut child = Command::new(program)
            .args(["--log-level", "warn", "--disable-hot-restart", "--config-path"])
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| {
                format!("{} cannot be started: tools/setup bench installs it", program.display())
            })?;
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).await.is_err() {
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                bail!("Envoy did not start:\n{}", fs::read_to_string(&log)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, address: address.to_string() })
    }

    /// The most memory that it has had, in MB.
    pub(super) fn peak_memory(&self) -> f64 {
        weft_tests::process::peak_memory(self.child.id()) as f64
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(address: std::net::SocketAddr, upstream: std::net::SocketAddr, descriptors: &Path) -> Value {
    let at = |address: std::net::SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let filter = |name: &str, message: &str, mut settings: Value| {
        settings["@type"] = format!("type.googleapis.com/envoy.extensions.filters.http.{message}").into();
        json!({"name": format!("envoy.filters.http.{name}"), "typed_config": settings})
    };
    let filters = [
        filter("grpc_web", "grpc_web.v3.GrpcWeb", json!({})),
        filter("connect_grpc_bridge", "connect_grpc_bridge.v3.FilterConfig", json!({})),
        filter(
            "grpc_json_transcoder",
            "grpc_json_transcoder.v3.GrpcJsonTranscoder",
            json!({
                "proto_descriptor": descriptors,
                "services": ["weft.graph.v1.GraphService"],
                "convert_grpc_status": true,
            }),
        ),
        filter("router", "router.v3.Router", json!({})),
    ];
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "codec_type": "AUTO",
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "mesh"}}],
        }]},
        "http_filters": filters,
    });
    let http2 = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    json!({"static_resources": {
        "listeners": [{
            "name": "edge",
            "address": at(address),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
            }]}],
        }],
        "clusters": [{
            "name": "mesh",
            "type": "STATIC",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
            },
            "load_assignment": {"cluster_name": "mesh", "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": at(upstream)}},
            ]}]},
        }],
    }})
}
