//! Services of a host: each call is a question to its agent, which keeps them.

use std::{sync::Arc, time::Duration};

use weft_kit::{
    Call, Caller,
    paging::{List, page_size},
};
use weft_proto::weft::agent::v1::{
    CreateServiceRequest, DeleteServiceRequest, GetServiceRequest, ListServicesRequest, ListServicesResponse,
    RestartServiceRequest, Service, StartServiceRequest, StopServiceRequest, UpdateServiceRequest,
    host_answer::Outcome, host_question::Ask,
};

use crate::{
    Error,
    domain::name,
    host::{self, PATIENCE, Question},
    state::State,
};

/// What an agent that keeps services can do.
pub(crate) const OPENED: &str = "services";
/// How long the end of a service, and of what needs it, may take.
const STOP_PATIENCE: Duration = Duration::from_secs(50);

pub(crate) async fn list(
    state: &Arc<State>,
    call: Call<ListServicesRequest>,
) -> Result<ListServicesResponse, Error> {
    let mut request = call.message;
    let list = List::of(&["ListServices", &request.parent]);
    request.page_token = list.cursor(&request.page_token)?;
    request.page_size = page_size(request.page_size, 50, 256).cast_signed();
    let agent = request.parent.clone();
    let outcome = ask(state, agent, PATIENCE, Ask::ListServices(request)).await?;
    let Outcome::Services(mut page) = outcome else { return Err(Error::unexpected_answer()) };
    if !page.next_page_token.is_empty() {
        page.next_page_token = list.token(&page.next_page_token);
    }
    Ok(page)
}

pub(crate) async fn get(state: &Arc<State>, call: Call<GetServiceRequest>) -> Result<Service, Error> {
    let agent = name::agent_of(&call.message.name);
    service(ask(state, agent, PATIENCE, Ask::GetService(call.message)).await?)
}

pub(crate) async fn create(state: &Arc<State>, call: Call<CreateServiceRequest>) -> Result<Service, Error> {
    let mut request = call.message;
    if request.service_id.is_empty() {
        let program = request.service.as_ref().map_or("", |service| &service.program);
        request.service_id = name::slug(program.rsplit('/').next().unwrap_or_default());
    }
    let agent = request.parent.clone();
    let subject = format!("{agent}/services/{}", request.service_id);
    log(&call.caller, &subject, "created");
    service(ask(state, agent, PATIENCE, Ask::CreateService(request)).await?)
}

pub(crate) async fn update(state: &Arc<State>, call: Call<UpdateServiceRequest>) -> Result<Service, Error> {
    let subject = call.message.service.as_ref().map(|service| service.name.clone()).unwrap_or_default();
    if !name::is_service(&subject) {
        return Err(Error::field("service.name", "is projects/{project}/agents/{agent}/services/{service}"));
    }
    log(&call.caller, &subject, "updated");
    service(ask(state, name::agent_of(&subject), PATIENCE, Ask::UpdateService(call.message)).await?)
}

pub(crate) async fn delete(state: &Arc<State>, call: Call<DeleteServiceRequest>) -> Result<(), Error> {
    let agent = name::agent_of(&call.message.name);
    log(&call.caller, &call.message.name, "deleted");
    match ask(state, agent, STOP_PATIENCE, Ask::DeleteService(call.message)).await? {
        Outcome::Deleted(_) => Ok(()),
        _ => Err(Error::unexpected_answer()),
    }
}

pub(crate) async fn start(state: &Arc<State>, call: Call<StartServiceRequest>) -> Result<Service, Error> {
    let agent = name::agent_of(&call.message.name);
    log(&call.caller, &call.message.name, "started");
    service(ask(state, agent, PATIENCE, Ask::StartService(call.message)).await?)
}

pub(crate) async fn stop(state: &Arc<State>, call: Call<StopServiceRequest>) -> Result<Service, Error> {
    let agent = name::agent_of(&call.message.name);
    log(&call.caller, &call.message.name, "stopped");
    service(ask(state, agent, STOP_PATIENCE, Ask::StopService(call.message)).await?)
}

pub(crate) async fn restart(state: &Arc<State>, call: Call<RestartServiceRequest>) -> Result<Service, Error> {
    let agent = name::agent_of(&call.message.name);
    log(&call.caller, &call.message.name, "restarted");
    service(ask(state, agent, PATIENCE, Ask::RestartService(call.message)).await?)
}

async fn ask(state: &Arc<State>, agent: String, patience: Duration, ask: Ask) -> Result<Outcome, Error> {
    host::ask(state, Question { agent, opened: OPENED, patience, ask }).await
}

fn service(outcome: Outcome) -> Result<Service, Error> {
    match outcome {
        Outcome::Service(service) => Ok(service),
        _ => Err(Error::unexpected_answer()),
    }
}

/// Whoever tries is written down as well as whoever succeeds.
fn log(caller: &Caller, service: &str, what: &'static str) {
    tracing::info!(service, by = %caller.name, what, "a service is to be changed");
}
