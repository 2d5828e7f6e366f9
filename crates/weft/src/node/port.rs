//! What a node's port answers: gRPC for the services here, or everything if the gateway is here.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use anyhow::Result;
use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use tonic::{Status, body::Body, codec::CompressionEncoding};
use tower::Service;
use weft_gateway::{Gateway, HOOKS, Hooks, Keeper, Upstreams};
use weft_kit::{
    Peer, Problem,
    server::{Guards, Health, HttpService, Pipeline, Reflection, Services},
};

use super::{Assembly, ROLES};

/// Which peer answers a gRPC service, by its full name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory(BTreeMap<String, Peer>);

impl Directory {
    pub(crate) fn insert(&mut self, service: &str, peer: Peer) {
        self.0.insert(service.to_owned(), peer);
    }

    /// Health and reflection, which every process has. Returned is the latter, for who has more to tell.
    pub(crate) fn add_infrastructure(&mut self, health: &Health, guards: &Guards) -> Reflection {
        let infrastructure = [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        let services = self.0.keys().cloned().chain(infrastructure.map(str::to_owned));
        let reflection = Reflection::new(weft_proto::pool().clone(), services.collect::<Vec<_>>());
        let answered =
            Services::new(health.server()).and(reflection.server()).and(reflection.server_v1alpha());
        let peer = Peer::shared(Pipeline::new(&answered, weft_proto::methods(), guards.clone()));
        for service in infrastructure {
            self.insert(service, peer.clone());
        }
        reflection
    }
}

/// What a node's ports answer.
pub(crate) struct Ports {
    pub(crate) service: HttpService,
    /// What a gateway answers to agents on a port of theirs.
    pub(crate) agents: Option<HttpService>,
    /// What it answers on ports for OTLP.
    pub(crate) otlp: Option<HttpService>,
    /// What keeps the upstreams of a gateway's configuration.
    pub(crate) keeper: Option<Keeper>,
}

/// What is answered. `reflection` is that of a gateway's port.
pub(crate) fn service(
    node: &Assembly,
    directory: &Directory,
    guards: &Guards,
    reflection: Option<Reflection>,
) -> Result<Ports> {
    let Some(reflection) = reflection else {
        let service = HttpService::new(GrpcPort(Arc::new(directory.clone())));
        return Ok(Ports { service, agents: None, otlp: None, keeper: None });
    };
    let mut upstreams = Upstreams::new();
    for (role, service) in
        ROLES.iter().flat_map(|role| role.services.iter().map(move |service| (role, service)))
    {
        if !directory.0.contains_key(*service) {
            // It runs elsewhere, and is looked up at each call.
            upstreams = upstreams.with(*service, node.peers.lazy(role.name));
        }
    }
    for (service, peer) in &directory.0 {
        upstreams = upstreams.with_local(service.as_str(), peer.clone());
    }
    let gateway = Gateway::new(
        upstreams,
        node.config.gateway.clone(),
        weft_proto::pool().clone(),
        node.lifecycle.clone(),
    )?;
    let hooks = Hooks::new(node.peer("gateway", "trigger"), node.ids.clone());
    let gateway = gateway
        .with_side(HOOKS, Peer::new(hooks))
        .with_collectors(node.peer("gateway", "agent"), guards.rates.clone());
    let keeper = gateway.keeper(guards.clone(), node.config.client.clone());
    let server = keeper.clone().into_server().accept_compressed(CompressionEncoding::Gzip);
    let pipeline = Pipeline::new(&Services::new(server), weft_proto::methods(), guards.clone());
    node.peers.insert("gateway", Peer::shared(pipeline));
    keeper.told_by(reflection);
    keeper.apply(&node.config.gateway.upstreams);
    let agents = Some(HttpService::new(gateway.for_agents()));
    let otlp = Some(HttpService::new(gateway.for_otlp()));
    Ok(Ports { service: HttpService::shared(gateway), agents, otlp, keeper: Some(keeper) })
}

/// A port that speaks gRPC only.
#[derive(Clone)]
struct GrpcPort(Arc<Directory>);

impl Service<Request<Body>> for GrpcPort {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        let Some(mut peer) = self.0.0.get(service).cloned() else {
            let status: Status =
                Problem::unimplemented("UNKNOWN_SERVICE", format!("there is no service {service} here"))
                    .into();
            return std::future::ready(Ok(status.into_http())).boxed();
        };
        async move {
            let answer = async {
                std::future::poll_fn(|context| peer.poll_ready(context)).await?;
                peer.call(request).await
            };
            Ok(answer.await.unwrap_or_else(|error| Status::from_error(error).into_http()))
        }
        .boxed()
    }
}
