//! The service: one line for each RPC.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::Call;
use weft_proto::weft::{
    agent::v1::{
        Agent, AgentChallenge, AttachAgentRequest, AttachAgentResponse, ClearKeyConflictRequest,
        CreateEnrollmentTokenRequest, DeleteAgentRequest, EndMaintenanceRequest, EnrollAgentRequest,
        EnrollmentToken, FleetStatistics, GetAgentChallengeRequest, GetAgentRequest, GetStatisticsRequest,
        IssueAgentTokenRequest, ListAgentsRequest, ListAgentsResponse, ListEnrollmentTokensRequest,
        ListEnrollmentTokensResponse, RevokeEnrollmentTokenRequest, StartMaintenanceRequest,
        UpdateAgentRequest, WatchAgentsRequest, WatchAgentsResponse,
        agent_service_server::{AgentService as AgentServiceTrait, AgentServiceServer},
    },
    identity::v1::AccessToken,
};

use crate::{CollectorService, Deps, Error, HostService, Options, line, mail, rpc, state::State, task};

/// The agent service. Cheap to clone.
#[derive(Clone)]
pub struct AgentService(pub(crate) Arc<State>);

impl AgentService {
    /// Opens the service: reads the fleet, and begins to follow it.
    ///
    /// # Errors
    /// The store fails, or what it has cannot be read.
    pub async fn open(options: Options, deps: Deps) -> Result<Self, Error> {
        let lifecycle = deps.lifecycle.clone();
        let state = Arc::new(State::open(options, deps).await?);
        task::start(&state, &lifecycle);
        line::start(&state, &lifecycle);
        mail::start(&state, &lifecycle);
        Ok(Self(state))
    }

    /// What asks the agents of this fleet about their hosts.
    pub fn hosts(&self) -> HostService {
        HostService(Arc::clone(&self.0))
    }

    /// What collectors of this fleet run with.
    pub fn collectors(&self) -> CollectorService {
        CollectorService(Arc::clone(&self.0))
    }

    /// As a gRPC server.
    pub fn into_server(self) -> AgentServiceServer<Self> {
        AgentServiceServer::new(self)
    }
}

impl std::fmt::Debug for AgentService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AgentService").finish_non_exhaustive()
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AgentServiceTrait for AgentService {
    type WatchAgentsStream = Answers<WatchAgentsResponse>;
    type AttachAgentStream = Answers<AttachAgentResponse>;

    async fn create_enrollment_token(
        &self,
        request: Request<CreateEnrollmentTokenRequest>,
    ) -> Result<Response<EnrollmentToken>, Status> {
        Ok(Response::new(rpc::create_enrollment_token::handle(&self.0, Call::open(request)?).await?))
    }

    async fn list_enrollment_tokens(
        &self,
        request: Request<ListEnrollmentTokensRequest>,
    ) -> Result<Response<ListEnrollmentTokensResponse>, Status> {
        Ok(Response::new(rpc::list_enrollment_tokens::handle(&self.0, Call::open(request)?).await?))
    }

    async fn revoke_enrollment_token(
        &self,
        request: Request<RevokeEnrollmentTokenRequest>,
    ) -> Result<Response<EnrollmentToken>, Status> {
        Ok(Response::new(rpc::revoke_enrollment_token::handle(&self.0, Call::open(request)?).await?))
    }

    async fn enroll_agent(&self, request: Request<EnrollAgentRequest>) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::enroll_agent::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_agent_challenge(
        &self,
        request: Request<GetAgentChallengeRequest>,
    ) -> Result<Response<AgentChallenge>, Status> {
        Ok(Response::new(rpc::challenge::handle(&self.0, &Call::open(request)?)))
    }

    async fn issue_agent_token(
        &self,
        request: Request<IssueAgentTokenRequest>,
    ) -> Result<Response<AccessToken>, Status> {
        Ok(Response::new(rpc::issue_agent_token::handle(&self.0, Call::open(request)?).await?))
    }

    async fn get_agent(&self, request: Request<GetAgentRequest>) -> Result<Response<Agent>, Status> {
        let call = Call::open(request)?;
        let entry = self.0.fleet.get(&call.message.name).await?;
        Ok(Response::new(self.0.message(&entry)))
    }

    async fn list_agents(
        &self,
        request: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        Ok(Response::new(rpc::list_agents::handle(&self.0, Call::open(request)?)?))
    }

    async fn update_agent(&self, request: Request<UpdateAgentRequest>) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::update_agent::handle(&self.0, Call::open(request)?).await?))
    }

    async fn delete_agent(&self, request: Request<DeleteAgentRequest>) -> Result<Response<()>, Status> {
        Ok(Response::new(rpc::delete_agent::handle(&self.0, Call::open(request)?).await?))
    }

    async fn watch_agents(
        &self,
        request: Request<WatchAgentsRequest>,
    ) -> Result<Response<Self::WatchAgentsStream>, Status> {
        let events = rpc::watch_agents::handle(&self.0, Call::open(request)?).await?;
        Ok(Response::new(events.map(|event| event.map_err(Status::from)).boxed()))
    }

    async fn start_maintenance(
        &self,
        request: Request<StartMaintenanceRequest>,
    ) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::maintenance::start(&self.0, Call::open(request)?).await?))
    }

    async fn end_maintenance(
        &self,
        request: Request<EndMaintenanceRequest>,
    ) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::maintenance::end(&self.0, Call::open(request)?).await?))
    }

    async fn clear_key_conflict(
        &self,
        request: Request<ClearKeyConflictRequest>,
    ) -> Result<Response<Agent>, Status> {
        Ok(Response::new(rpc::key_conflict::clear(&self.0, Call::open(request)?).await?))
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<FleetStatistics>, Status> {
        Ok(Response::new(rpc::get_statistics::handle(&self.0, &Call::open(request)?)))
    }

    async fn attach_agent(
        &self,
        request: Request<Streaming<AttachAgentRequest>>,
    ) -> Result<Response<Self::AttachAgentStream>, Status> {
        let call = Call::open_stream(request);
        Ok(Response::new(rpc::attach_agent::handle(&self.0, call).await?.boxed()))
    }
}
