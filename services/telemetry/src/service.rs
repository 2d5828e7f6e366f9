//! The service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::weft::telemetry::v1::{
    AttachReporterRequest, AttachReporterResponse, FindAnomaliesRequest, FindAnomaliesResponse,
    GetForecastRequest, GetForecastResponse, GetStatisticsRequest, ListLabelValuesRequest,
    ListLabelValuesResponse, ListMetricsRequest, ListMetricsResponse, ListSeriesRequest, ListSeriesResponse,
    QueryInstantRequest, QueryInstantResponse, QueryRangeRequest, QueryRangeResponse, TelemetryStatistics,
    WatchQueryRequest, WatchQueryResponse, WriteSamplesRequest, WriteSamplesResponse,
    telemetry_service_server::{TelemetryService as TelemetryServiceTrait, TelemetryServiceServer},
};

use crate::{Deps, Options, rpc, state::State, task};

/// The telemetry service. Cheap to clone.
#[derive(Clone)]
pub struct TelemetryService(Arc<State>);

impl TelemetryService {
    /// Opens the service. It takes samples as soon as it has the log and has read what is there.
    pub fn open(options: Options, deps: Deps) -> Self {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps));
        task::start(&state, &lifecycle);
        Self(state)
    }

    /// The alert service of the same samples.
    pub fn alerts(&self) -> crate::AlertService {
        crate::AlertService::new(Arc::clone(&self.0))
    }

    /// The log service of the same store.
    pub fn logs(&self) -> crate::LogService {
        crate::LogService::new(Arc::clone(&self.0))
    }

    /// The trace service of the same store.
    pub fn traces(&self) -> crate::TraceService {
        crate::TraceService::new(Arc::clone(&self.0))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> TelemetryServiceServer<Self> {
        TelemetryServiceServer::new(self)
    }
}

impl std::fmt::Debug for TelemetryService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TelemetryService").finish_non_exhaustive()
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl TelemetryServiceTrait for TelemetryService {
    type AttachReporterStream = Answers<AttachReporterResponse>;
    type WatchQueryStream = Answers<WatchQueryResponse>;

    async fn attach_reporter(
        &self,
        request: Request<Streaming<AttachReporterRequest>>,
    ) -> Result<Response<Self::AttachReporterStream>, Status> {
        let events = rpc::attach_reporter::handle(&self.0, Call::open_stream(request)).await?;
        Ok(Response::new(events.map(|event| event.map_err(Status::from)).boxed()))
    }

    async fn write_samples(
        &self,
        request: Request<WriteSamplesRequest>,
    ) -> Result<Response<WriteSamplesResponse>, Status> {
        Ok(Response::new(rpc::write_samples::handle(&self.0, Call::open(request)?).await?))
    }

    async fn query_instant(
        &self,
        request: Request<QueryInstantRequest>,
    ) -> Result<Response<QueryInstantResponse>, Status> {
        Ok(Response::new(rpc::query_instant::handle(&self.0, Call::open(request)?).await?))
    }

    async fn query_range(
        &self,
        request: Request<QueryRangeRequest>,
    ) -> Result<Response<QueryRangeResponse>, Status> {
        Ok(Response::new(rpc::query_range::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_query(
        &self,
        request: Request<WatchQueryRequest>,
    ) -> Result<Response<Self::WatchQueryStream>, Status> {
        let answers = rpc::watch_query::handle(&self.0, Call::open(request)?)?;
        Ok(Response::new(answers.map(|answer| answer.map_err(Status::from)).boxed()))
    }

    async fn get_forecast(
        &self,
        request: Request<GetForecastRequest>,
    ) -> Result<Response<GetForecastResponse>, Status> {
        Ok(Response::new(rpc::get_forecast::handle(&self.0, Call::open(request)?).await?))
    }

    async fn find_anomalies(
        &self,
        request: Request<FindAnomaliesRequest>,
    ) -> Result<Response<FindAnomaliesResponse>, Status> {
        Ok(Response::new(rpc::find_anomalies::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_series(
        &self,
        request: Request<ListSeriesRequest>,
    ) -> Result<Response<ListSeriesResponse>, Status> {
        Ok(Response::new(rpc::list_series::handle(&self.0, Call::open(request)?)?))
    }

    async fn list_metrics(
        &self,
        request: Request<ListMetricsRequest>,
    ) -> Result<Response<ListMetricsResponse>, Status> {
        Ok(Response::new(rpc::list_metrics::handle(&self.0, Call::open(request)?)?))
    }

    async fn list_label_values(
        &self,
        request: Request<ListLabelValuesRequest>,
    ) -> Result<Response<ListLabelValuesResponse>, Status> {
        Ok(Response::new(rpc::list_label_values::handle(&self.0, Call::open(request)?)?))
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<TelemetryStatistics>, Status> {
        Ok(Response::new(rpc::get_statistics::handle(&self.0, &Call::open(request)?)?))
    }
}
