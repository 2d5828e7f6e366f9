//! ListFolders: what the configuration has opened to a project.

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{Folder, ListFoldersRequest, ListFoldersResponse};

use crate::{
    Error,
    live::blocking,
    rpc::cursor,
    source::{Sources, folder::is_available},
};

pub(crate) async fn handle(
    sources: &Sources,
    call: Call<ListFoldersRequest>,
) -> Result<ListFoldersResponse, Error> {
    let request = call.message;
    let size = paging::page_size(request.page_size, 50, 1_000) as usize;
    let list = paging::List::of(&["ListFolders", &request.parent]);
    let after = cursor(list, &request.page_token)?;
    let project = request.parent.strip_prefix("projects/").unwrap_or_default();
    let open = sources.graph.graphs.options.folders.iter();
    let mut open: Vec<_> = open
        .filter(|(id, folder)| **id > after && folder.is_open_to(project))
        .take(size + 1)
        .map(|(id, folder)| (id.clone(), folder.clone()))
        .collect();
    let more = open.len() > size;
    open.truncate(size);
    let next_page_token = open.last().filter(|_| more).map(|(id, _)| list.token(id)).unwrap_or_default();
    let parent = request.parent;
    let folders = blocking(move || {
        let folder = |(id, options)| Folder {
            name: format!("{parent}/folders/{id}"),
            available: is_available(&options),
            description: options.description,
        };
        open.into_iter().map(folder).collect()
    });
    Ok(ListFoldersResponse { folders: folders.await?, next_page_token })
}
