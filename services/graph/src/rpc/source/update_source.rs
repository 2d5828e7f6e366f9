//! UpdateSource: other settings, from the next refresh on.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::graph::v1::{Source, UpdateSourceRequest, source::Location};
use weft_store::{SourceUpdate, StoreError};

use crate::{
    Error,
    live::version_of_etag,
    source::{Sources, folder, missing, next_settings, settings_of, source_message},
};

/// How often a change is tried again because somebody else changed the settings meanwhile.
const ATTEMPTS: u32 = 8;

pub(crate) async fn handle(sources: &Sources, call: Call<UpdateSourceRequest>) -> Result<Source, Error> {
    let UpdateSourceRequest { source, update_mask } = call.message;
    let new = source.unwrap_or_default();
    let paths = paths(&new, update_mask.map(|mask| mask.paths).unwrap_or_default())?;
    let expected = match new.etag.as_str() {
        "" => None,
        etag => Some(version_of_etag(etag).ok_or_else(|| Error::EtagMismatch(new.name.clone()))?),
    };
    let mut attempt = 1;
    loop {
        let (names, row) = sources.get(&new.name).await?;
        let mut settings = settings_of(&names, &row)?;
        for path in &paths {
            write(path, &new, &mut settings);
        }
        match &settings.location {
            Some(Location::Folder(location)) => {
                folder::check(&sources.graph.graphs.options, names.project(), location)?;
            }
            None => return Err(Error::field("source.folder", "must be given: where the content comes from")),
        }
        let update = SourceUpdate {
            uid: row.uid,
            // What was read is what is changed, also for a client to whom that does not matter.
            expected_version: Some(expected.unwrap_or(row.version)),
            settings: next_settings(settings).encode_to_vec().into(),
            at: sources.now(),
        };
        match sources.store.update_source(update).await {
            Ok(row) => return source_message(&names, &row, sources.now()),
            Err(StoreError::Stale { .. }) if expected.is_none() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(missing(&new.name, error)),
        }
    }
}

const FIELDS: [&str; 6] =
    ["display_name", "folder", "format", "default_node_type", "default_edge_type", "property_links"];

fn paths(new: &Source, asked: Vec<String>) -> Result<Vec<String>, Error> {
    if asked.is_empty() {
        let set = FIELDS.into_iter().filter(|field| match *field {
            "display_name" => !new.display_name.is_empty(),
            "folder" => new.location.is_some(),
            "format" => new.format != 0,
            "default_node_type" => !new.default_node_type.is_empty(),
            "default_edge_type" => !new.default_edge_type.is_empty(),
            _ => !new.property_links.is_empty(),
        });
        return Ok(set.map(str::to_owned).collect());
    }
    let mut paths = Vec::new();
    for (index, path) in asked.into_iter().enumerate() {
        match path.as_str() {
            "*" => return Ok(FIELDS.map(str::to_owned).to_vec()),
            // Which source and which state of it, not what is written.
            "name" | "etag" => {}
            field if FIELDS.contains(&field) => paths.push(path),
            _ => {
                let field = format!("update_mask.paths[{index}]");
                return Err(Error::field(field, format!("must be one of {}", FIELDS.join(", "))));
            }
        }
    }
    Ok(paths)
}

fn write(path: &str, new: &Source, settings: &mut Source) {
    match path {
        "display_name" => settings.display_name.clone_from(&new.display_name),
        "folder" => settings.location.clone_from(&new.location),
        "format" => settings.format = new.format,
        "default_node_type" => settings.default_node_type.clone_from(&new.default_node_type),
        "default_edge_type" => settings.default_edge_type.clone_from(&new.default_edge_type),
        _ => settings.property_links.clone_from(&new.property_links),
    }
}
