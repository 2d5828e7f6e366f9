//! grpc.health.v1: Check, Watch and List (gRFC A90), and the truth behind them.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use futures::Stream;
use tokio::sync::watch;
use tokio_stream::{StreamExt, wrappers::WatchStream};
use tonic::{Request, Response, Status};
use weft_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
    health_check_response::ServingStatus,
    health_server::{Health as HealthService, HealthServer},
};

use crate::Problem;

type Statuses = BTreeMap<String, bool>;

/// Which services are ready. The empty name stands for the whole process: it is ready when all
/// others are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<Statuses>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Statuses::new())))
    }
}

impl Health {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether `service` (its full name) is ready. Watchers are told when that changes.
    pub fn set(&self, service: &str, ready: bool) {
        self.0.send_if_modified(|statuses| statuses.insert(service.to_owned(), ready) != Some(ready));
    }

    /// Says that nothing is ready any more: the process ends.
    pub fn set_all_not_ready(&self) {
        self.0.send_modify(|statuses| statuses.values_mut().for_each(|ready| *ready = false));
    }

    /// Names of what is not ready; empty if everything is.
    pub fn not_ready(&self) -> Vec<String> {
        self.0.borrow().iter().filter(|(_, ready)| !**ready).map(|(name, _)| name.clone()).collect()
    }

    /// As a gRPC service.
    pub fn server(&self) -> HealthServer<Self> {
        HealthServer::new(self.clone())
    }
}

fn status_of(statuses: &Statuses, service: &str) -> Option<ServingStatus> {
    let ready =
        if service.is_empty() { statuses.values().all(|ready| *ready) } else { *statuses.get(service)? };
    Some(if ready { ServingStatus::Serving } else { ServingStatus::NotServing })
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl HealthService for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = status_of(&self.0.borrow(), &service).ok_or_else(|| {
            Problem::not_found("UNKNOWN_SERVICE", format!("there is no service {service} here"))
                .with("service", &service)
        })?;
        Ok(Response::new(response(status)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let mut last = None;
        let changes = WatchStream::new(self.0.subscribe()).filter_map(move |statuses| {
            let status = status_of(&statuses, &service).unwrap_or(ServingStatus::ServiceUnknown);
            (last.replace(status) != Some(status)).then(|| Ok(response(status)))
        });
        Ok(Response::new(Box::pin(changes)))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.0.borrow();
        let names = statuses.keys().map(String::as_str).chain([""]);
        let statuses =
            names.filter_map(|name| Some((name.to_owned(), response(status_of(&statuses, name)?)))).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.into() })
    }

    #[tokio::test]
    async fn check_watch_and_list_agree() {
        let health = Health::new();
        health.set("weft.graph.v1.GraphService", true);
        let check = |service| health.check(asking(service));
        assert_eq!(check("").await.expect("known").into_inner().status(), ServingStatus::Serving);
        assert_eq!(check("nothing").await.expect_err("unknown").code(), tonic::Code::NotFound);

        let mut watch =
            health.watch(asking("weft.graph.v1.GraphService")).await.expect("a stream").into_inner();
        assert_eq!(watch.next().await.expect("at once").expect("no error").status(), ServingStatus::Serving);
        health.set("another", true);
        health.set("weft.graph.v1.GraphService", false);
        assert_eq!(
            watch.next().await.expect("a change").expect("no error").status(),
            ServingStatus::NotServing
        );
        let list = health.list(Request::new(HealthListRequest {})).await.expect("a list").into_inner();
        assert_eq!(list.statuses[""].status(), ServingStatus::NotServing);
        assert_eq!(list.statuses["another"].status(), ServingStatus::Serving);
        assert_eq!(health.not_ready(), ["weft.graph.v1.GraphService"]);
    }
}
