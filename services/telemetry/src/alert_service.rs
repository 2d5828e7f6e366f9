//! The alert service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    AlertRule, CreateAlertRuleRequest, CreateSilenceRequest, DeleteAlertRuleRequest, EndSilenceRequest,
    GetAlertRuleRequest, GetSilenceRequest, ListAlertRulesRequest, ListAlertRulesResponse, ListAlertsRequest,
    ListAlertsResponse, ListSilencesRequest, ListSilencesResponse, Silence, UpdateAlertRuleRequest,
    WatchAlertsRequest, WatchAlertsResponse,
    alert_service_server::{AlertService as AlertServiceTrait, AlertServiceServer},
};

use crate::{rpc, state::State};

/// The alert service. Cheap to clone.
#[derive(Clone)]
pub struct AlertService(Arc<State>);

impl AlertService {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> AlertServiceServer<Self> {
        AlertServiceServer::new(self)
    }
}

impl std::fmt::Debug for AlertService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AlertService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl AlertServiceTrait for AlertService {
    type WatchAlertsStream = Pin<Box<dyn Stream<Item = Result<WatchAlertsResponse, Status>> + Send>>;

    async fn create_alert_rule(
        &self,
        request: Request<CreateAlertRuleRequest>,
    ) -> Result<Response<AlertRule>, Status> {
        Ok(Response::new(rpc::alert::create_alert_rule::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_alert_rule(
        &self,
        request: Request<GetAlertRuleRequest>,
    ) -> Result<Response<AlertRule>, Status> {
        Ok(Response::new(rpc::alert::get_alert_rule::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_alert_rules(
        &self,
        request: Request<ListAlertRulesRequest>,
    ) -> Result<Response<ListAlertRulesResponse>, Status> {
        Ok(Response::new(rpc::alert::list_alert_rules::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_alert_rule(
        &self,
        request: Request<UpdateAlertRuleRequest>,
    ) -> Result<Response<AlertRule>, Status> {
        Ok(Response::new(rpc::alert::update_alert_rule::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_alert_rule(
        &self,
        request: Request<DeleteAlertRuleRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::alert::delete_alert_rule::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        Ok(Response::new(rpc::alert::list_alerts::handle(&self.0, Call::open(request)?)?))
    }

    async fn create_silence(
        &self,
        request: Request<CreateSilenceRequest>,
    ) -> Result<Response<Silence>, Status> {
        Ok(Response::new(rpc::alert::create_silence::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_silence(&self, request: Request<GetSilenceRequest>) -> Result<Response<Silence>, Status> {
        Ok(Response::new(rpc::alert::get_silence::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_silences(
        &self,
        request: Request<ListSilencesRequest>,
    ) -> Result<Response<ListSilencesResponse>, Status> {
        Ok(Response::new(rpc::alert::list_silences::handle(&self.0, Call::open(request)?).await?))
    }

    async fn end_silence(&self, request: Request<EndSilenceRequest>) -> Result<Response<Silence>, Status> {
        Ok(Response::new(rpc::alert::end_silence::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_alerts(
        &self,
        request: Request<WatchAlertsRequest>,
    ) -> Result<Response<Self::WatchAlertsStream>, Status> {
        let answers = rpc::alert::watch_alerts::handle(&self.0, &Call::open(request)?)?;
        Ok(Response::new(answers.map(|answer| answer.map_err(Status::from)).boxed()))
    }
}
