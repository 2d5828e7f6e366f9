//! The protocols: what each of them can say, and who speaks it.

use bytes::Bytes;

use super::{
    case::{Case, Said},
    connect, grpc, mcp,
    outcome::{Outcome, to_proto},
    rest, socket, web,
};
use crate::support::Edge;

/// A way to call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    GrpcWeb,
    GrpcWebText,
    ConnectProto,
    ConnectJson,
    ConnectGetProto,
    ConnectGetJson,
    Rest,
    Lines,
    Events,
    SocketProto,
    SocketJson,
    Mcp,
}

impl Protocol {
    pub(super) const ALL: [Self; 13] = [
        Self::Grpc,
        Self::GrpcWeb,
        Self::GrpcWebText,
        Self::ConnectProto,
        Self::ConnectJson,
        Self::ConnectGetProto,
        Self::ConnectGetJson,
        Self::Rest,
        Self::Lines,
        Self::Events,
        Self::SocketProto,
        Self::SocketJson,
        Self::Mcp,
    ];

    fn is_json(self) -> bool {
        matches!(
            self,
            Self::ConnectJson
                | Self::ConnectGetJson
                | Self::Rest
                | Self::Lines
                | Self::Events
                | Self::SocketJson
                | Self::Mcp
        )
    }

    /// Whether the case can be said in it.
    pub(super) fn speaks(self, case: &Case) -> bool {
        let method = case.method;
        let is_stream = method.client_streaming || method.server_streaming;
        let is_one = case.said.len() == 1;
        let form = case.said.iter().all(|said| match said {
            Said::Json(_) => true,
            Said::OnlyJson(_) => self.is_json(),
            Said::OnlyProto(_) => !self.is_json(),
        });
        form && match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText | Self::SocketProto | Self::SocketJson => true,
            Self::ConnectProto | Self::ConnectJson => is_stream || is_one,
            // An address has its own bound.
            Self::ConnectGetProto | Self::ConnectGetJson => method.get && is_one && case.bytes() < 8_000,
            Self::Rest => method.rest.is_some() && !method.client_streaming && is_one,
            Self::Lines | Self::Events => method.rest.is_some() && method.server_streaming && is_one,
            Self::Mcp => method.tool.is_some() && is_one,
        }
    }

    /// The messages of the case, as this protocol writes them.
    fn write(self, case: &Case) -> Vec<Bytes> {
        let write = |said: &Said| match said {
            Said::Json(json) if self.is_json() => Bytes::from(json.clone()),
            Said::Json(json) => to_proto(case.method.input, json),
            Said::OnlyJson(json) => Bytes::from(json.clone()),
            Said::OnlyProto(bytes) => Bytes::from_static(bytes),
        };
        case.said.iter().map(write).collect()
    }

    /// Calls.
    pub(super) async fn call(self, edge: &Edge, case: &Case) -> Outcome {
        let said = self.write(case);
        match self {
            Self::Grpc => grpc::call(edge, case, said).await,
            Self::GrpcWeb => web::call(edge, case, said, false).await,
            Self::GrpcWebText => web::call(edge, case, said, true).await,
            Self::ConnectProto | Self::ConnectJson => connect::post(edge, case, said, self.is_json()).await,
            Self::ConnectGetProto | Self::ConnectGetJson => {
                connect::get(edge, case, &said[0], self.is_json()).await
            }
            Self::Rest => rest::call(edge, case, &said[0], "application/json").await,
            Self::Lines => rest::call(edge, case, &said[0], "application/x-ndjson").await,
            Self::Events => rest::call(edge, case, &said[0], "text/event-stream").await,
            Self::SocketProto | Self::SocketJson => socket::call(edge, case, said, self.is_json()).await,
            Self::Mcp => mcp::call(edge, case, &said[0]).await,
        }
    }
}
