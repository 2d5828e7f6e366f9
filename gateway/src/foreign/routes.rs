//! ListRoutes: what the gateway serves now.

use std::collections::HashMap;

use tonic::{Request, Response, Status};
use weft_kit::{Call, Problem, paging};
use weft_proto::weft::gateway::v1::{
    CallKind, HttpRoute, ListRoutesRequest, ListRoutesResponse, Route, UpstreamProblem,
    gateway_service_server::{GatewayService, GatewayServiceServer},
};

use super::Keeper;
use crate::catalog::Entry;

const MOST: u32 = 1_000;

impl Keeper {
    /// `weft.gateway.v1.GatewayService`, to be put behind the stages of the runtime.
    pub fn into_server(self) -> GatewayServiceServer<Self> {
        GatewayServiceServer::new(self)
    }

    fn list(&self, request: &ListRoutesRequest) -> Result<ListRoutesResponse, Problem> {
        let size = paging::page_size(request.page_size, MOST, MOST) as usize;
        let list = paging::List::of(&["ListRoutes", &request.parent]);
        let after = list.cursor(&request.page_token)?;
        let tables = self.shared().tables.load_full();
        let mut http: HashMap<&str, Vec<HttpRoute>> = HashMap::new();
        for route in tables.router.routes() {
            let method = route.http_method.as_ref().map_or("*".to_owned(), ToString::to_string);
            let path = route.path.clone();
            http.entry(route.entry.path.as_str()).or_default().push(HttpRoute { method, path });
        }
        let methods = tables.catalog.methods();
        let mut rest = methods.into_iter().filter(|entry| *entry.path.as_str() > *after).peekable();
        let mut routes = Vec::new();
        while let Some(entry) = rest.next_if(|_| routes.len() < size) {
            routes.push(route(entry, http.remove(entry.path.as_str()).unwrap_or_default()));
        }
        let last = routes.last().filter(|_| rest.peek().is_some());
        let next_page_token = last.map(|last| list.token(&last.path)).unwrap_or_default();
        let problem = |(upstream, description)| UpstreamProblem { upstream, description };
        let problems = self.problems().into_iter().map(problem).collect();
        Ok(ListRoutesResponse { routes, next_page_token, problems })
    }
}

fn route(entry: &Entry, http_routes: Vec<HttpRoute>) -> Route {
    let kind = match (entry.client_streaming, entry.server_streaming) {
        (false, false) => CallKind::Unary,
        (false, true) => CallKind::ServerStream,
        (true, false) => CallKind::ClientStream,
        (true, true) => CallKind::BidirectionalStream,
    };
    let (healthy, all) = entry.foreign.as_ref().map_or((0, 0), |foreign| foreign.remote.connections());
    Route {
        path: entry.path.to_string(),
        http_routes,
        kind: kind.into(),
        access: entry.access.into(),
        mcp_tool: entry.is_tool,
        upstream: entry.foreign.as_ref().map(|foreign| foreign.name.to_string()).unwrap_or_default(),
        healthy_connection_count: i32::try_from(healthy).unwrap_or(i32::MAX),
        connection_count: i32::try_from(all).unwrap_or(i32::MAX),
    }
}

#[tonic::async_trait]
impl GatewayService for Keeper {
    async fn list_routes(
        &self,
        request: Request<ListRoutesRequest>,
    ) -> Result<Response<ListRoutesResponse>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(self.list(&call.message)?))
    }
}
