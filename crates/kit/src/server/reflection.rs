//! Server reflection, v1 and v1alpha, extensions included: what grpcurl and its like ask for.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::{Code, Request, Response, Status, Streaming};
use weft_proto::grpc::reflection::{
    v1::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
        server_reflection_server::{ServerReflection, ServerReflectionServer},
    },
    v1alpha,
};

/// Answers questions about descriptors. Clones share everything.
#[derive(Clone, Debug)]
pub struct Reflection {
    own: Contracts,
    others: Arc<RwLock<Arc<[Contracts]>>>,
}

/// Services, and the descriptors that say what they are.
#[derive(Clone, Debug)]
pub struct Contracts {
    pool: DescriptorPool,
    services: Arc<BTreeSet<String>>,
}

impl Contracts {
    /// The given services (their full names) of `pool`.
    pub fn new(pool: DescriptorPool, services: impl IntoIterator<Item = String>) -> Self {
        Self { pool, services: Arc::new(services.into_iter().collect()) }
    }
}

impl Reflection {
    /// Tells of the given services (their full names) of `pool`.
    pub fn new(pool: DescriptorPool, services: impl IntoIterator<Item = String>) -> Self {
        Self { own: Contracts::new(pool, services), others: Arc::new(RwLock::new(Arc::new([]))) }
    }

    /// Tells of `others` too, and no longer of those that were told of before. What is asked for is looked for
    /// in its own descriptors first, and then in theirs, in their order.
    pub fn tell_of(&self, others: impl IntoIterator<Item = Contracts>) {
        *self.others.write().unwrap_or_else(PoisonError::into_inner) = others.into_iter().collect();
    }

    fn others(&self) -> Arc<[Contracts]> {
        Arc::clone(&self.others.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// As a gRPC service, version 1.
    pub fn server(&self) -> ServerReflectionServer<Self> {
        ServerReflectionServer::new(self.clone())
    }

    /// As a gRPC service, version 1alpha, which older clients use.
    pub fn server_v1alpha(&self) -> v1alpha::server_reflection_server::ServerReflectionServer<Self> {
        v1alpha::server_reflection_server::ServerReflectionServer::new(self.clone())
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let message_response = match &request.message_request {
            Some(question) => self.find(question).unwrap_or_else(|| not_found(question)),
            None => error(Code::InvalidArgument, "the request asks nothing".to_owned()),
        };
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(message_response),
        }
    }

    fn find(&self, question: &MessageRequest) -> Option<MessageResponse> {
        let others = self.others();
        let mut all = std::iter::once(&self.own).chain(others.iter());
        if let MessageRequest::ListServices(_) = question {
            let names: BTreeSet<&String> = all.flat_map(|contracts| contracts.services.iter()).collect();
            let service = names.into_iter().map(|name| ServiceResponse { name: name.clone() }).collect();
            return Some(MessageResponse::ListServicesResponse(ListServiceResponse { service }));
        }
        all.find_map(|contracts| contracts.find(question))
    }
}

impl Contracts {
    fn find(&self, question: &MessageRequest) -> Option<MessageResponse> {
        match question {
            MessageRequest::FileByFilename(name) => {
                self.pool.get_file_by_name(name).map(|file| with_imports(&file))
            }
            MessageRequest::FileContainingSymbol(symbol) => {
                self.file_of(symbol).map(|file| with_imports(&file))
            }
            MessageRequest::FileContainingExtension(asked) => {
                let message = self.pool.get_message_by_name(&asked.containing_type)?;
                let number = u32::try_from(asked.extension_number).ok()?;
                message.get_extension(number).map(|extension| with_imports(&extension.parent_file()))
            }
            MessageRequest::AllExtensionNumbersOfType(name) => {
                let message = self.pool.get_message_by_name(name)?;
                Some(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: message
                        .extensions()
                        .map(|extension| extension.number() as i32)
                        .collect(),
                }))
            }
            MessageRequest::ListServices(_) => None,
        }
    }

    fn file_of(&self, symbol: &str) -> Option<FileDescriptor> {
        let symbol = symbol.trim_start_matches('.');
        self.pool
            .get_message_by_name(symbol)
            .map(|message| message.parent_file())
            .or_else(|| self.pool.get_enum_by_name(symbol).map(|found| found.parent_file()))
            .or_else(|| self.pool.get_service_by_name(symbol).map(|service| service.parent_file()))
            .or_else(|| self.pool.get_extension_by_name(symbol).map(|extension| extension.parent_file()))
            .or_else(|| {
                // A method, a field or an enum's value: look for what it belongs to.
                let (parent, _) = symbol.rsplit_once('.')?;
                self.file_of_parent(parent, symbol)
            })
    }

    fn file_of_parent(&self, parent: &str, symbol: &str) -> Option<FileDescriptor> {
        let name = symbol.rsplit('.').next()?;
        if let Some(service) = self.pool.get_service_by_name(parent) {
            return service.methods().any(|method| method.name() == name).then(|| service.parent_file());
        }
        if let Some(message) = self.pool.get_message_by_name(parent) {
            let known = message.get_field_by_name(name).is_some()
                || message.oneofs().any(|oneof| oneof.name() == name);
            return known.then(|| message.parent_file());
        }
        let found = self.pool.get_enum_by_name(parent)?;
        found.get_value_by_name(name).map(|_| found.parent_file())
    }
}

/// A file and everything that it imports, as clients expect that cannot ask again.
fn with_imports(file: &FileDescriptor) -> MessageResponse {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![file.clone()];
    let mut files = Vec::new();
    while let Some(file) = waiting.pop() {
        if seen.insert(file.name().to_owned()) {
            files.push(encoded(&file));
            waiting.extend(file.dependencies());
        }
    }
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: files })
}

/// With options and extensions, whole; and with comments, where there are any.
fn encoded(file: &FileDescriptor) -> Bytes {
    let own =
        (file.parent_pool() == weft_proto::pool()).then(|| weft_proto::encoded_file(file.name())).flatten();
    own.map_or_else(|| file.encode_to_vec().into(), Bytes::from_static)
}

fn not_found(question: &MessageRequest) -> MessageResponse {
    let what = match question {
        MessageRequest::FileByFilename(name) => format!("there is no file {name}"),
        MessageRequest::FileContainingSymbol(symbol) => format!("there is no {symbol}"),
        MessageRequest::FileContainingExtension(asked) => {
            format!("{} has no extension {}", asked.containing_type, asked.extension_number)
        }
        MessageRequest::AllExtensionNumbersOfType(name) => format!("there is no message {name}"),
        MessageRequest::ListServices(_) => "there are no services".to_owned(),
    };
    error(Code::NotFound, what)
}

fn error(code: Code, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse { error_code: code.into(), error_message })
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream = Answers<ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let this = self.clone();
        let answers = request.into_inner().map(move |request| Ok(this.answer(request?)));
        Ok(Response::new(answers.boxed()))
    }
}

#[tonic::async_trait]
impl v1alpha::server_reflection_server::ServerReflection for Reflection {
    type ServerReflectionInfoStream = Answers<v1alpha::ServerReflectionResponse>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<v1alpha::ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let this = self.clone();
        // The two versions have the same messages under two names.
        let answers = request.into_inner().map(move |request| {
            let request = recode::<_, ServerReflectionRequest>(&request?)?;
            recode(&this.answer(request))
        });
        Ok(Response::new(answers.boxed()))
    }
}

fn recode<A: Message, B: Message + Default>(message: &A) -> Result<B, Status> {
    B::decode(message.encode_to_vec().as_slice()).map_err(|error| Status::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use prost_reflect::prost_types::FileDescriptorProto;
    use weft_proto::grpc::reflection::v1::ExtensionRequest;

    use super::*;

    fn ask(question: MessageRequest) -> MessageResponse {
        let reflection =
            Reflection::new(weft_proto::pool().clone(), ["weft.graph.v1.GraphService".to_owned()]);
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        reflection.answer(request).message_response.expect("an answer")
    }

    fn files(response: MessageResponse) -> Vec<String> {
        let MessageResponse::FileDescriptorResponse(files) = response else { panic!("{response:?}") };
        files
            .file_descriptor_proto
            .iter()
            .map(|file| FileDescriptorProto::decode(&file[..]).expect("a descriptor").name().to_owned())
            .collect()
    }

    #[test]
    fn finds_symbols_and_what_they_import() {
        for symbol in [
            "weft.graph.v1.GraphService",
            "weft.graph.v1.GraphService.GetGraph",
            ".weft.graph.v1.GetGraphRequest",
            "weft.graph.v1.GetGraphRequest.name",
        ] {
            let files = files(ask(MessageRequest::FileContainingSymbol(symbol.into())));
            assert_eq!(files[0], "weft/graph/v1/graph_service.proto", "{symbol}");
            assert!(files.iter().any(|file| file == "google/api/http.proto"));
        }
        let missing = ask(MessageRequest::FileContainingSymbol("weft.graph.v1.GraphService.Nothing".into()));
        assert!(matches!(missing, MessageResponse::ErrorResponse(error) if error.error_code == 5));
    }

    #[test]
    fn tells_of_others_for_as_long_as_they_are_there() {
        let ours = "weft.graph.v1.GraphService".to_owned();
        let mut theirs = FileDescriptorProto { name: Some("shop.proto".into()), ..Default::default() };
        theirs.package = Some("shop.v1".into());
        theirs.service.push(prost_reflect::prost_types::ServiceDescriptorProto {
            name: Some("Shop".into()),
            ..Default::default()
        });
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(theirs).expect("a good file");

        let reflection = Reflection::new(weft_proto::pool().clone(), [ours.clone()]);
        let ask = |question| reflection.find(&question);
        let listed = || match ask(MessageRequest::ListServices(String::new())) {
            Some(MessageResponse::ListServicesResponse(list)) => {
                list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        let shop = || MessageRequest::FileContainingSymbol("shop.v1.Shop".into());
        assert!(ask(shop()).is_none());
        reflection.clone().tell_of([Contracts::new(pool, ["shop.v1.Shop".to_owned()])]);
        assert_eq!(listed(), ["shop.v1.Shop".to_owned(), ours.clone()]);
        assert_eq!(files(ask(shop()).expect("it is told")), ["shop.proto"]);
        assert!(ask(MessageRequest::FileContainingSymbol(ours.clone())).is_some());
        reflection.tell_of([]);
        assert_eq!(listed(), [ours]);
        assert!(ask(shop()).is_none());
    }

    #[test]
    fn finds_extensions_by_number() {
        let containing_type = "google.protobuf.MethodOptions".to_owned();
        let question = ExtensionRequest { containing_type: containing_type.clone(), extension_number: 51000 };
        assert_eq!(
            files(ask(MessageRequest::FileContainingExtension(question)))[0],
            "weft/options/v1/options.proto"
        );
        let MessageResponse::AllExtensionNumbersResponse(numbers) =
            ask(MessageRequest::AllExtensionNumbersOfType(containing_type))
        else {
            panic!("numbers were asked for")
        };
        assert!(numbers.extension_number.contains(&51000) && numbers.extension_number.contains(&72_295_728));
    }
}
