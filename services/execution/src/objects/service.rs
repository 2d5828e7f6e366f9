//! The service of objects: one function for each RPC.

use std::{pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tonic::{Request, Response, Status, Streaming};
use weft_kit::{
    Call, Messages,
    paging::{List, page_size},
};
use weft_proto::{
    google::api::HttpBody,
    weft::execution::v1::{
        DeleteObjectRequest, DownloadObjectRequest, GetObjectRequest, ListObjectsRequest,
        ListObjectsResponse, Object, UploadObjectRequest, WriteObjectRequest,
        object_service_server::{ObjectService as ObjectServiceTrait, ObjectServiceServer},
        upload_object_request::Piece,
    },
};

use super::{
    Begin, ObjectError, ProjectObjects, Unchanged,
    kept::{self, parts},
};
use crate::ExecutionService;

/// Bytes, as a download sends them.
type Download = Pin<Box<dyn Stream<Item = Result<HttpBody, Status>> + Send>>;

/// The service of objects. Cheap to clone.
#[derive(Clone)]
pub struct ObjectService(Arc<ProjectObjects>);

impl ObjectService {
    /// The objects that the workflows of an execution service work with.
    pub fn new(executions: &ExecutionService) -> Self {
        Self(executions.objects())
    }

    /// As a gRPC server.
    pub fn into_server(self) -> ObjectServiceServer<Self> {
        ObjectServiceServer::new(self)
    }
}

impl std::fmt::Debug for ObjectService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ObjectService").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl ObjectServiceTrait for ObjectService {
    type DownloadObjectStream = Download;

    async fn upload_object(
        &self,
        request: Request<Streaming<UploadObjectRequest>>,
    ) -> Result<Response<Object>, Status> {
        Ok(Response::new(upload(&self.0, Call::open_stream(request)).await?))
    }

    async fn write_object(&self, request: Request<WriteObjectRequest>) -> Result<Response<Object>, Status> {
        Ok(Response::new(write(&self.0, Call::open(request)?).await?))
    }

    async fn download_object(
        &self,
        request: Request<DownloadObjectRequest>,
    ) -> Result<Response<Self::DownloadObjectStream>, Status> {
        Ok(Response::new(download(&self.0, Call::open(request)?).await?))
    }

    async fn get_object(&self, request: Request<GetObjectRequest>) -> Result<Response<Object>, Status> {
        let (project, id) = parts(&request.get_ref().name);
        let (project, id) = (project.to_owned(), id.to_owned());
        Call::open(request)?;
        Ok(Response::new(self.0.get(&project, &id).await?.message()))
    }

    async fn list_objects(
        &self,
        request: Request<ListObjectsRequest>,
    ) -> Result<Response<ListObjectsResponse>, Status> {
        Ok(Response::new(list(&self.0, Call::open(request)?.message).await?))
    }

    async fn delete_object(&self, request: Request<DeleteObjectRequest>) -> Result<Response<()>, Status> {
        let DeleteObjectRequest { name, etag } = Call::open(request)?.message;
        let (project, id) = parts(&name);
        self.0.delete(project, id, kept::version(&etag)?).await?;
        Ok(Response::new(()))
    }
}

async fn upload(
    objects: &Arc<ProjectObjects>,
    call: Call<Messages<UploadObjectRequest>>,
) -> Result<Object, ObjectError> {
    let Call { caller, message: mut messages, .. } = call;
    let Some(Piece::Begin(begin)) = messages.next().await.transpose()?.and_then(|message| message.piece)
    else {
        return Err(ObjectError::Order);
    };
    let (project, id) = parts(&begin.name);
    let begin = Begin {
        project: project.to_owned(),
        id: id.to_owned(),
        only: Begin::only(&begin.etag, begin.if_absent)?,
        content_type: begin.content_type,
        sha256: begin.sha256,
        writer: caller.name.to_string(),
        unchanged: Unchanged::Write,
    };
    let bytes = messages.map(|message| match message?.piece {
        Some(Piece::Data(data)) => Ok(data),
        _ => Err(ObjectError::Order),
    });
    Ok(objects.upload(begin, bytes).await?.message())
}

async fn write(objects: &Arc<ProjectObjects>, call: Call<WriteObjectRequest>) -> Result<Object, Status> {
    let Call { caller, message: request, .. } = call;
    let HttpBody { content_type, data, .. } = request.content.unwrap_or_default();
    let is_shown = |byte: u8| (b' '..=b'~').contains(&byte);
    if content_type.len() > 200 || !content_type.bytes().all(is_shown) {
        let problem = "must be at most 200 printable characters";
        return Err(weft_kit::Problem::bad_field("content.content_type", problem).into());
    }
    let (project, id) = parts(&request.name);
    let begin = Begin {
        project: project.to_owned(),
        id: id.to_owned(),
        only: Begin::only(&request.etag, request.if_absent)?,
        content_type,
        sha256: request.sha256,
        writer: caller.name.to_string(),
        unchanged: Unchanged::Write,
    };
    Ok(objects.write(begin, data).await?.message())
}

async fn download(
    objects: &Arc<ProjectObjects>,
    call: Call<DownloadObjectRequest>,
) -> Result<Download, ObjectError> {
    let DownloadObjectRequest { name, offset, etag } = call.message;
    let (project, id) = parts(&name);
    let saved = objects.get(project, id).await?;
    if kept::version(&etag)?.is_some_and(|version| version != saved.row.version) {
        return Err(ObjectError::Changed(name));
    }
    if offset > saved.row.size {
        return Err(ObjectError::Beyond(name, saved.row.size));
    }
    let content_type = saved.content_type().to_owned();
    // The type comes first, also of nothing.
    let first = HttpBody { content_type, data: Bytes::new(), extensions: Vec::new() };
    let bytes = objects.read(saved, offset as u64);
    let bytes = bytes.map_ok(|data| HttpBody { data, ..HttpBody::default() }).map_err(Status::from);
    Ok(stream::iter([Ok(first)]).chain(bytes).boxed())
}

async fn list(objects: &ProjectObjects, request: ListObjectsRequest) -> Result<ListObjectsResponse, Status> {
    let list = List::of(&["ListObjects", &request.parent, &request.prefix]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = crate::domain::name::project(&request.parent);
    let mut found = objects.list((project, &request.prefix, &after), size + 1).await?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let last = found.last().filter(|_| more);
    let next_page_token = last.map(|saved| list.token(&saved.row.id)).unwrap_or_default();
    Ok(ListObjectsResponse { objects: found.iter().map(super::Saved::message).collect(), next_page_token })
}
