//! Gateways beside one another, before services in another process; and what somebody does who calls the one and turns to
//! the other when it is gone.

use std::{fs, path::Path};

use prost::Message;
use serde_json::json;
use tonic::{Code, Status};
use weft_proto::weft::graph::v1::GetGraphRequest;

use crate::{
    client::Client,
    http::{Answer, framed},
    process::Process,
};

const GET: &str = "/weft.graph.v1.GraphService/GetGraph";

/// A gateway in a process of its own, with its data in `folder/name`, before the services of `service`, which has its
/// data beside; started.
pub fn gateway(folder: &Path, name: &str, service: &Process) -> Process {
    let data = folder.join(name);
    fs::create_dir(&data).expect("a folder can be made");
    fs::copy(service.data().join("mesh.key"), data.join("mesh.key")).expect("it was made");
    let mut process = Process::serve(&data, &["gateway"]);
    for peer in ["IDENTITY", "GRAPH", "COMPUTE"] {
        process = process.set(&format!("PEERS__{peer}"), &service.url());
    }
    process.start();
    process
}

/// A protocol in which a graph is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `GET /v1/…` over HTTP/1.1.
    Rest,
    /// Connect with JSON over HTTP/1.1.
    Connect,
    /// gRPC-web over HTTP/1.1.
    GrpcWeb,
    /// gRPC over HTTP/2.
    Grpc,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rest, Self::Connect, Self::GrpcWeb, Self::Grpc];

    /// Asks for a graph: `None` where no answer came, because the connection is gone; an error where it is not the
    /// graph.
    pub async fn ask(self, client: &Client, graph: &str) -> Option<Result<(), String>> {
        let message = framed(0, &GetGraphRequest { name: graph.into() }.encode_to_vec());
        let json = json!({ "name": graph }).to_string();
        let is_whole = |answer: &Answer| match self {
            Self::Rest | Self::Connect => answer.json()["name"] == graph,
            Self::GrpcWeb => String::from_utf8_lossy(&answer.body).contains("grpc-status:0"),
            Self::Grpc => {
                Status::from_header_map(&answer.trailers).is_some_and(|status| status.code() == Code::Ok)
            }
        };
        let answer = match self {
            Self::Rest => client.try_rest(&format!("GET /v1/{graph}"), &[], "").await,
            Self::Connect => client.try_rest(&format!("POST {GET}"), &[], json).await,
            Self::GrpcWeb => {
                let headers = [("content-type", "application/grpc-web+proto")];
                client.try_rest(&format!("POST {GET}"), &headers, message).await
            }
            Self::Grpc => client.try_grpc(GET, &[], message).await,
        };
        let answer = answer.ok()?;
        let is_good = answer.status == 200 && is_whole(&answer);
        Some(if is_good { Ok(()) } else { Err(format!("{self:?}: {answer:?}")) })
    }
}
