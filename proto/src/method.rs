//! What the contracts say of each method.

use std::collections::HashMap;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};

use crate::{
    generated::weft::options::v1::{self, MethodPolicy, StreamCursor, StreamLatest},
    hedging::Hedging,
};

/// Whether a call may be repeated (`google.protobuf.MethodOptions.idempotency_level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// A repeat may do it twice.
    Unknown,
    /// It changes nothing; safe to repeat and to send with GET.
    NoSideEffects,
    /// A repeat does nothing more than the first.
    Idempotent,
}

/// What is wrong with hedging of a method that may not be repeated.
const CANNOT_HEDGE: &str = "only what has no streams and may be repeated can be hedged";

/// A method and its policy.
#[derive(Clone, Debug)]
pub struct Method {
    /// Path as in an HTTP/2 request: `/weft.graph.v1.GraphService/GetGraph`.
    pub path: String,
    /// The descriptor, for its messages and streaming kinds.
    pub descriptor: MethodDescriptor,
    /// Who may call it, what it costs, from where. `None` for methods that are not ours
    /// (health, reflection): those are open to all.
    pub policy: Option<MethodPolicy>,
    /// Field numbers that lead to the resource name which the policy is about; empty if none.
    pub resource_path: Vec<u32>,
    /// Whether a call may be repeated.
    pub idempotency: Idempotency,
    /// How a client goes on with a server stream after it broke off.
    pub cursor: Option<StreamCursor>,
    /// Field numbers that lead to the bool of a response which says that the next message may take its
    /// place; empty if none.
    pub latest_path: Vec<u32>,
    /// When a call is asked again elsewhere because it takes long.
    pub hedging: Option<Hedging>,
}

impl Method {
    /// Whether a call may be repeated without harm.
    pub fn is_retryable(&self) -> bool {
        self.idempotency != Idempotency::Unknown
    }

    /// Whether several attempts of one call may run beside each other.
    pub fn can_hedge(&self) -> bool {
        self.is_retryable() && !self.is_streaming()
    }

    /// Whether either side of a call is a stream.
    pub fn is_streaming(&self) -> bool {
        self.descriptor.is_client_streaming() || self.descriptor.is_server_streaming()
    }
}

/// All methods of a set of contracts, by path.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    by_path: HashMap<String, Method>,
}

impl Methods {
    /// Reads them from descriptors.
    ///
    /// # Errors
    /// A text that names the method whose policy cannot be read or whose `resource_field` is
    /// not in its request.
    pub fn from_pool(pool: &DescriptorPool) -> Result<Self, String> {
        let mut by_path = HashMap::new();
        for service in pool.services() {
            for descriptor in service.methods() {
                let method = read(pool, descriptor)?;
                by_path.insert(method.path.clone(), method);
            }
        }
        Ok(Self { by_path })
    }

    /// The method at `path` (`/package.Service/Method`).
    pub fn get(&self, path: &str) -> Option<&Method> {
        self.by_path.get(path)
    }

    /// All methods, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        self.by_path.values()
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        Self { by_path: methods.into_iter().map(|method| (method.path.clone(), method)).collect() }
    }
}

fn read(pool: &DescriptorPool, descriptor: MethodDescriptor) -> Result<Method, String> {
    let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
    let options = descriptor.options();
    let policy: Option<MethodPolicy> = option(pool, &options, "weft.options.v1.policy")
        .map_err(|error| format!("{path}: its policy cannot be read: {error}"))?;
    let cursor = option(pool, &options, "weft.options.v1.cursor")
        .map_err(|error| format!("{path}: its cursor cannot be read: {error}"))?;
    let latest: Option<StreamLatest> = option(pool, &options, "weft.options.v1.latest")
        .map_err(|error| format!("{path}: what is latest cannot be read: {error}"))?;
    let numbers = |message: MessageDescriptor, field: &str| {
        field_numbers(message, field).ok_or_else(|| format!("{path}: {field} is not among its fields"))
    };
    let resource_path = match &policy {
        Some(policy) => numbers(descriptor.input(), &policy.resource_field)?,
        None => Vec::new(),
    };
    let latest_path = match &latest {
        Some(latest) => numbers(descriptor.output(), &latest.field)?,
        None => Vec::new(),
    };
    let idempotency =
        match options.get_field_by_name("idempotency_level").and_then(|level| level.as_enum_number()) {
            Some(1) => Idempotency::NoSideEffects,
            Some(2) => Idempotency::Idempotent,
            _ => Idempotency::Unknown,
        };
    let mut method =
        Method { path, descriptor, policy, resource_path, idempotency, cursor, latest_path, hedging: None };
    let hedging: Option<v1::Hedging> = option(pool, &options, "weft.options.v1.hedging")
        .map_err(|error| format!("{}: its hedging cannot be read: {error}", method.path))?;
    if let Some(hedging) = hedging {
        let wrong = |wrong| format!("{}: {wrong}", method.path);
        let hedging = Hedging::try_from(hedging).map_err(wrong)?;
        method.can_hedge().then_some(()).ok_or(CANNOT_HEDGE).map_err(wrong)?;
        method.hedging = Some(hedging);
    }
    Ok(method)
}

/// An option of a method, where it has it.
fn option<T: Message + Default>(
    pool: &DescriptorPool,
    options: &DynamicMessage,
    name: &str,
) -> Result<Option<T>, prost::DecodeError> {
    let encoded =
        pool.get_extension_by_name(name).filter(|extension| options.has_extension(extension)).and_then(
            |extension| options.get_extension(&extension).as_message().map(DynamicMessage::encode_to_vec),
        );
    encoded.map(|bytes| T::decode(bytes.as_slice())).transpose()
}

fn field_numbers(message: MessageDescriptor, path: &str) -> Option<Vec<u32>> {
    let mut message = Some(message);
    let mut numbers = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let field = message.as_ref()?.get_field_by_name(part)?;
        numbers.push(field.number());
        message = field.kind().as_message().cloned();
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::Idempotency;
    use crate::{
        methods,
        weft::options::v1::{Access, Exposure},
    };

    #[test]
    fn reads_the_policy_of_a_method() {
        let method = methods().get("/weft.graph.v1.GraphService/UpdateGraph").expect("it is in the contract");
        let policy = method.policy.as_ref().expect("it has a policy");
        assert_eq!(policy.access(), Access::Operator);
        assert_eq!(policy.exposure(), Exposure::Edge);
        assert_eq!(method.resource_path, [1, 1]);
        assert_eq!(method.idempotency, Idempotency::Idempotent);
        assert!(!method.is_streaming());
    }

    #[test]
    fn reads_the_cursor_of_a_stream() {
        let method = methods().get("/weft.graph.v1.GraphService/WatchGraph").expect("it is in the contract");
        let cursor = method.cursor.as_ref().expect("it resumes");
        assert_eq!(cursor.request_field, "after_revision");
        assert_eq!(cursor.positions[0].complete_field, "changes.last_part");
        let other = methods().get("/weft.graph.v1.GraphService/GetGraph").expect("it is in the contract");
        assert!(other.cursor.is_none());
    }

    #[test]
    fn reads_which_messages_are_the_latest() {
        for method in ["WatchPositions", "AttachLayout"] {
            let method = methods().get(&format!("/weft.compute.v1.LayoutService/{method}"));
            assert_eq!(method.expect("it is in the contract").latest_path, [1, 4]);
        }
        let other = methods().get("/weft.graph.v1.GraphService/WatchGraph").expect("it is in the contract");
        assert!(other.latest_path.is_empty());
    }

    #[test]
    fn knows_methods_of_others_without_policy() {
        let method = methods().get("/grpc.health.v1.Health/Check").expect("it is vendored");
        assert!(method.policy.is_none());
    }
}
