//! The service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{
    BackfillTriggerRequest, BackfillTriggerResponse, CreateTriggerRequest, DeleteTriggerRequest, Delivery,
    DismissDeliveriesRequest, DismissDeliveriesResponse, DismissDeliveryRequest, FireTriggerRequest,
    GetDeliveryRequest, GetTriggerRequest, ListDeliveriesRequest, ListDeliveriesResponse, ListTicksRequest,
    ListTicksResponse, ListTriggersRequest, ListTriggersResponse, PauseTriggerRequest,
    PreviewScheduleRequest, PreviewScheduleResponse, PreviewTestEventsRequest, PreviewTestEventsResponse,
    ReceiveWebhookRequest, ReceiveWebhookResponse, RedeliverDeliveriesRequest, RedeliverDeliveriesResponse,
    RedeliverDeliveryRequest, ResumeTriggerRequest, RotateTriggerTokenRequest, Trigger, UpdateTriggerRequest,
    WatchDeliveriesRequest, WatchDeliveriesResponse,
    trigger_service_server::{TriggerService as TriggerServiceTrait, TriggerServiceServer},
};

use crate::{Deps, Options, rpc, state::State, task};

/// The trigger service. Cheap to clone.
#[derive(Clone)]
pub struct TriggerService(Arc<State>);

impl TriggerService {
    /// Opens the service. It takes what comes at once, and ticks as soon as nobody else does.
    pub fn open(options: Options, deps: Deps) -> Self {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps));
        task::start(&state, &lifecycle);
        Self(state)
    }

    /// As a gRPC server.
    pub fn into_server(self) -> TriggerServiceServer<Self> {
        TriggerServiceServer::new(self)
    }
}

impl std::fmt::Debug for TriggerService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TriggerService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl TriggerServiceTrait for TriggerService {
    type WatchDeliveriesStream = Pin<Box<dyn Stream<Item = Result<WatchDeliveriesResponse, Status>> + Send>>;

    async fn create_trigger(
        &self,
        request: Request<CreateTriggerRequest>,
    ) -> Result<Response<Trigger>, Status> {
        Ok(Response::new(rpc::create_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_trigger(&self, request: Request<GetTriggerRequest>) -> Result<Response<Trigger>, Status> {
        Ok(Response::new(rpc::get_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_triggers(
        &self,
        request: Request<ListTriggersRequest>,
    ) -> Result<Response<ListTriggersResponse>, Status> {
        Ok(Response::new(rpc::list_triggers::handle(&self.0, Call::open(request)?).await?))
    }

    async fn update_trigger(
        &self,
        request: Request<UpdateTriggerRequest>,
    ) -> Result<Response<Trigger>, Status> {
        Ok(Response::new(rpc::update_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_trigger(&self, request: Request<DeleteTriggerRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn fire_trigger(&self, request: Request<FireTriggerRequest>) -> Result<Response<Delivery>, Status> {
        Ok(Response::new(rpc::fire_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn backfill_trigger(
        &self,
        request: Request<BackfillTriggerRequest>,
    ) -> Result<Response<BackfillTriggerResponse>, Status> {
        Ok(Response::new(rpc::backfill_trigger::handle(&self.0, Call::open(request)?).await?))
    }

    async fn rotate_trigger_token(
        &self,
        request: Request<RotateTriggerTokenRequest>,
    ) -> Result<Response<Trigger>, Status> {
        Ok(Response::new(rpc::rotate_trigger_token::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_ticks(
        &self,
        request: Request<ListTicksRequest>,
    ) -> Result<Response<ListTicksResponse>, Status> {
        Ok(Response::new(rpc::list_ticks::handle(&self.0, Call::open(request)?).await?))
    }

    async fn preview_schedule(
        &self,
        request: Request<PreviewScheduleRequest>,
    ) -> Result<Response<PreviewScheduleResponse>, Status> {
        Ok(Response::new(rpc::preview_schedule::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_deliveries(
        &self,
        request: Request<ListDeliveriesRequest>,
    ) -> Result<Response<ListDeliveriesResponse>, Status> {
        Ok(Response::new(rpc::list_deliveries::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_delivery(&self, request: Request<GetDeliveryRequest>) -> Result<Response<Delivery>, Status> {
        Ok(Response::new(rpc::get_delivery::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_deliveries(
        &self,
        request: Request<WatchDeliveriesRequest>,
    ) -> Result<Response<Self::WatchDeliveriesStream>, Status> {
        let stream = rpc::watch_deliveries::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(Box::pin(stream.map(|told| told.map_err(Status::from)))))
    }

    async fn preview_test_events(
        &self,
        request: Request<PreviewTestEventsRequest>,
    ) -> Result<Response<PreviewTestEventsResponse>, Status> {
        Ok(Response::new(rpc::preview_test_events::handle(&self.0, Call::open(request)?).await?))
    }

    async fn redeliver_delivery(
        &self,
        request: Request<RedeliverDeliveryRequest>,
    ) -> Result<Response<Delivery>, Status> {
        Ok(Response::new(rpc::redeliver_delivery::handle(&self.0, Call::open(request)?).await?))
    }

    async fn redeliver_deliveries(
        &self,
        request: Request<RedeliverDeliveriesRequest>,
    ) -> Result<Response<RedeliverDeliveriesResponse>, Status> {
        Ok(Response::new(rpc::redeliver_deliveries::handle(&self.0, Call::open(request)?).await?))
    }

    async fn dismiss_delivery(
        &self,
        request: Request<DismissDeliveryRequest>,
    ) -> Result<Response<Delivery>, Status> {
        Ok(Response::new(rpc::dismiss_delivery::handle(&self.0, Call::open(request)?).await?))
    }

    async fn dismiss_deliveries(
        &self,
        request: Request<DismissDeliveriesRequest>,
    ) -> Result<Response<DismissDeliveriesResponse>, Status> {
        Ok(Response::new(rpc::dismiss_deliveries::handle(&self.0, Call::open(request)?).await?))
    }

    async fn receive_webhook(
        &self,
        request: Request<ReceiveWebhookRequest>,
    ) -> Result<Response<ReceiveWebhookResponse>, Status> {
        Ok(Response::new(rpc::receive_webhook::handle(&self.0, Call::open(request)?).await?))
    }

    async fn pause_trigger(
        &self,
        request: Request<PauseTriggerRequest>,
    ) -> Result<Response<Trigger>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::pause_trigger::handle(&self.0, &call.caller, &call.message.name, true).await?))
    }

    async fn resume_trigger(
        &self,
        request: Request<ResumeTriggerRequest>,
    ) -> Result<Response<Trigger>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(rpc::pause_trigger::handle(&self.0, &call.caller, &call.message.name, false).await?))
    }
}
