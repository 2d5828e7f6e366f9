//! `weft commands types`: what can be asked.

use std::path::PathBuf;

use anyhow::{Context, Result};
use weft_kit::json;
use weft_proto::weft::command::v1::{
    CommandType, CreateCommandTypeRequest, DeleteCommandTypeRequest, GetCommandTypeRequest,
    ListCommandTypesRequest, ListCommandTypesResponse, RetryPolicy,
};

use super::whole;
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
    },
    client::CommandClient,
};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TypesCommand {
    /// List command types, those that ship with the mesh included.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Show one command type with its schemas, as JSON.
    Get {
        /// Name of the type, or its last part.
        name: String,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Create a command type.
    Create {
        /// Last part of its name.
        id: String,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
        /// Name of a script on the agents' allow-lists that they run for it, with the arguments as JSON on its
        /// standard input.
        #[arg(long, default_value = "")]
        script: String,
        /// File with the JSON Schema of the arguments.
        #[arg(long, value_name = "FILE")]
        arguments_schema: Option<PathBuf>,
        /// File with the JSON Schema of the result.
        #[arg(long, value_name = "FILE")]
        result_schema: Option<PathBuf>,
        /// Name for people.
        #[arg(long, default_value = "")]
        display_name: String,
        /// How long an attempt may take, in seconds.
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u32>,
        /// How often it is tried at most.
        #[arg(long, default_value_t = 1)]
        max_attempts: i32,
        /// How many agents work on commands of this type at a time; 0: no limit.
        #[arg(long, default_value_t = 0)]
        max_parallel: i32,
        /// An attempt that was interrupted has failed, and is not made again.
        #[arg(long)]
        fail_if_interrupted: bool,
        /// Commands of this type start only when a second person has approved them.
        #[arg(long)]
        requires_approval: bool,
    },
    /// Delete a command type. Commands of it stay.
    Delete {
        /// Name of the type, or its last part.
        name: String,
        /// The project, where the name is a last part.
        #[arg(long, default_value = "default")]
        project: String,
    },
}

fn schema(file: Option<PathBuf>) -> Result<Option<prost_types::Struct>> {
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let schema = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    Ok(Some(json::to_struct(schema)))
}

impl TypesCommand {
    pub(super) async fn run(self, client: &mut CommandClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { project } => list(client, &project, format).await,
            Self::Get { name, project } => {
                let request = GetCommandTypeRequest { name: whole(&project, "commandTypes", &name) };
                let found = client.get_command_type(request).await?.into_inner();
                output::json(&found, "weft.command.v1.CommandType")
            }
            Self::Create {
                id,
                project,
                script,
                arguments_schema,
                result_schema,
                display_name,
                timeout,
                max_attempts,
                max_parallel,
                fail_if_interrupted,
                requires_approval,
            } => {
                let command_type = CommandType {
                    display_name,
                    script,
                    arguments_schema: schema(arguments_schema)?,
                    result_schema: schema(result_schema)?,
                    attempt_timeout: timeout
                        .map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
                    retry: Some(RetryPolicy { max_attempts, ..RetryPolicy::default() }),
                    max_parallel,
                    fail_if_interrupted,
                    requires_approval,
                    ..CommandType::default()
                };
                let request = CreateCommandTypeRequest {
                    parent: format!("projects/{project}"),
                    command_type_id: id,
                    command_type: Some(command_type),
                    request_id: new_request_id(),
                };
                let created = client.create_command_type(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&created, "weft.command.v1.CommandType"),
                    OutputFormat::Table => {
                        output::line(&created.name);
                        Ok(())
                    }
                }
            }
            Self::Delete { name, project } => {
                let name = whole(&project, "commandTypes", &name);
                let request = DeleteCommandTypeRequest { name: name.clone(), etag: String::new() };
                client.delete_command_type(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

async fn list(client: &mut CommandClient, project: &str, format: OutputFormat) -> Result<()> {
    let mut request = ListCommandTypesRequest {
        parent: format!("projects/{project}"),
        page_size: 1_000,
        page_token: String::new(),
    };
    let mut all = ListCommandTypesResponse::default();
    loop {
        let page = client.list_command_types(request.clone()).await?.into_inner();
        all.command_types.extend(page.command_types);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.command.v1.ListCommandTypesResponse");
    }
    let rows = all.command_types.iter().map(|found| {
        vec![
            found.name.clone(),
            found.display_name.clone(),
            found.script.clone(),
            if found.built_in { "ships with the mesh" } else { "" }.to_owned(),
        ]
    });
    output::table(&["name", "what", "script", ""], &[], rows);
    Ok(())
}
