//! Which methods are served, found by their path at once.

use std::{collections::HashSet, sync::Arc};

use hashbrown::HashMap;
use http::uri::PathAndQuery;
use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use tokio_util::sync::CancellationToken;
use weft_kit::Peer;
use weft_proto::{
    Idempotency, Method, Methods,
    weft::options::v1::{Access, Exposure, MethodPolicy, StreamCursor},
};

use crate::{
    GatewayError, Upstreams, draining,
    foreign::Foreign,
    json::{Output, Shapes},
    upstream::{self, Upstream},
};

/// A method that can be called from the edge, with all that a call needs resolved.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: PathAndQuery,
    pub(crate) descriptor: MethodDescriptor,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
    /// How its answers are written as JSON.
    pub(crate) output_json: Output,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    /// Whether a call changes anything, as its contract says: what does not may be a GET.
    pub(crate) has_side_effects: bool,
    /// Whether a repeat of a call does no more than the first.
    pub(crate) is_repeatable: bool,
    /// How a client goes on with its stream after it broke off.
    pub(crate) cursor: Option<StreamCursor>,
    /// Where a message of its stream says that the next one may take its place; empty if none does.
    pub(crate) latest: Vec<u32>,
    /// Whether AI agents are offered it.
    pub(crate) is_tool: bool,
    /// The least that a caller must be.
    pub(crate) access: Access,
    /// Whether anybody may call it, signed in or not, as its contract says.
    pub(crate) public: bool,
    /// The service that weft was not built with, if it is one of its methods.
    pub(crate) foreign: Option<Arc<Foreign>>,
    /// For requests that pass as they are, and calls of one message each way.
    pub(crate) peer: Peer,
    /// For streams that the gateway makes itself.
    pub(crate) caller: Peer,
}

impl Entry {
    fn new(
        method: &Method,
        shapes: &Arc<Shapes>,
        Upstream { peer, is_local }: &Upstream,
        foreign: Option<&Arc<Foreign>>,
        lifetime: &CancellationToken,
    ) -> Self {
        let (policy, descriptor) = (method.policy.as_ref(), method.descriptor.clone());
        let can_begin_anew =
            descriptor.is_server_streaming() && method.idempotency == Idempotency::NoSideEffects;
        let outlives = can_begin_anew && !is_local;
        let peer = if outlives { draining::ending(peer, lifetime) } else { peer.clone() };
        let access = policy.map_or(Access::Public, MethodPolicy::access);
        Self {
            path: PathAndQuery::try_from(method.path.as_str()).expect("protobuf names are URL-safe"),
            input: descriptor.input(),
            output: descriptor.output(),
            output_json: Output::new(descriptor.output(), shapes),
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
            has_side_effects: method.idempotency != Idempotency::NoSideEffects,
            is_repeatable: method.is_retryable(),
            cursor: method.cursor.clone(),
            latest: method.latest_path.clone(),
            is_tool: policy.is_some_and(|policy| policy.mcp_tool) && !method.is_streaming(),
            access,
            public: access == Access::Public,
            foreign: foreign.map(Arc::clone),
            caller: upstream::caller(&peer, descriptor.is_client_streaming()),
            descriptor,
            peer,
        }
    }

    /// The types of its service: those of the details of its errors, too.
    pub(crate) fn pool(&self) -> &DescriptorPool {
        self.input.parent_pool()
    }
}

/// The methods that are served.
#[derive(Debug)]
pub(crate) struct Catalog {
    methods: HashMap<String, Arc<Entry>>,
    /// Services whose contracts are known: of them nothing but `methods` exists.
    known_services: HashSet<String>,
    upstreams: Upstreams,
}

impl Catalog {
    /// Joins contracts and services. A method which its policy keeps inside the mesh is left
    /// out, and so is unknown in every protocol. Streams that can be begun anew end when `draining` is
    /// cancelled.
    pub(crate) fn new(
        upstreams: Upstreams,
        pool: &DescriptorPool,
        foreign: &[Arc<Foreign>],
        draining: &CancellationToken,
    ) -> Result<Self, GatewayError> {
        let policies = Methods::from_pool(pool).map_err(GatewayError::Policy)?;
        let mut methods = HashMap::new();
        let own = shapes(&policies);
        for method in policies.iter() {
            let Some(upstream) = upstreams.get(method.descriptor.parent_service().full_name()) else {
                continue;
            };
            if method.policy.as_ref().is_some_and(|policy| policy.exposure() != Exposure::Edge) {
                continue;
            }
            methods.insert(method.path.clone(), Arc::new(Entry::new(method, &own, upstream, None, draining)));
        }
        for foreign in foreign {
            let theirs = shapes(&foreign.methods);
            let upstream = Upstream { peer: foreign.peer.clone(), is_local: false };
            for method in foreign.methods.iter() {
                let entry = Entry::new(method, &theirs, &upstream, Some(foreign), draining);
                methods.insert(method.path.clone(), Arc::new(entry));
            }
        }
        let known_services = pool.services().map(|service| service.full_name().to_owned()).collect();
        Ok(Self { methods, known_services, upstreams })
    }

    /// The method at `/package.Service/Method`.
    pub(crate) fn method(&self, path: &str) -> Option<&Arc<Entry>> {
        self.methods.get(path)
    }

    /// All methods, by path.
    pub(crate) fn methods(&self) -> Vec<&Arc<Entry>> {
        let mut methods: Vec<_> = self.methods.values().collect();
        methods.sort_by(|one, other| one.path.as_str().cmp(other.path.as_str()));
        methods
    }

    /// Who answers a gRPC request for `path`, and whether it may be a stream of requests. A service that
    /// is served without contracts is passed all its requests.
    pub(crate) fn passes_to(&self, path: &str) -> Option<(Peer, bool)> {
        if let Some(method) = self.methods.get(path) {
            return Some((method.peer.clone(), method.client_streaming));
        }
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        if method.is_empty() || method.contains('/') || self.known_services.contains(service) {
            return None;
        }
        self.upstreams.get(service).map(|upstream| (upstream.peer.clone(), true))
    }
}

/// The types of all answers, of contracts of one origin: others may use the same names.
fn shapes(methods: &Methods) -> Arc<Shapes> {
    Arc::new(Shapes::of(methods.iter().map(|method| method.descriptor.output())))
}
