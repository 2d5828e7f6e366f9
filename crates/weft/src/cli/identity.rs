//! `weft key`, `weft whoami`, `weft login`.

use anyhow::{Context, Result};
use uuid::Uuid;
use weft_proto::weft::identity::v1::{
    ApiKey, CreateApiKeyRequest, CreateTicketRequest, ListApiKeysRequest, RevokeApiKeyRequest, Role,
    WhoAmIRequest,
};

use super::{output, output::OutputFormat};
use crate::client::{Connection, IdentityClient};

/// API keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key; its secret is shown once.
    Create {
        /// Last part of its name.
        id: String,
        /// The project that it holds in; `mesh` is every project.
        #[arg(long, default_value = "default")]
        project: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: RoleArgument,
        /// Narrow it to a scope, such as graph.read; may be given several times.
        #[arg(long)]
        scope: Vec<String>,
        /// What it is for.
        #[arg(long, default_value = "")]
        display_name: String,
    },
    /// List the keys of a project.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Revoke a key: it is refused everywhere within seconds.
    Revoke {
        /// Name of the key, `projects/{project}/apiKeys/{key}`.
        name: String,
    },
}

/// A role.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum RoleArgument {
    /// Looks.
    Viewer,
    /// Changes and runs.
    Operator,
    /// Administers.
    Admin,
}

impl KeyCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.identity();
        match self {
            Self::Create { id, project, role, scope, display_name } => {
                let role = match role {
                    RoleArgument::Viewer => Role::Viewer,
                    RoleArgument::Operator => Role::Operator,
                    RoleArgument::Admin => Role::Admin,
                };
                let key = ApiKey { role: role.into(), scopes: scope, display_name, ..ApiKey::default() };
                let request = CreateApiKeyRequest {
                    parent: format!("projects/{project}"),
                    api_key_id: id,
                    api_key: Some(key),
                    request_id: new_request_id(),
                };
                let key = client.create_api_key(request).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&key, "weft.identity.v1.ApiKey")?,
                    // The secret alone on standard output, so that it can be piped to where it belongs.
                    OutputFormat::Table => output::line(&key.secret),
                }
            }
            Self::List { project } => list(&mut client, project, format).await?,
            Self::Revoke { name } => {
                let key = client.revoke_api_key(RevokeApiKeyRequest { name }).await?.into_inner();
                match format {
                    OutputFormat::Json => output::json(&key, "weft.identity.v1.ApiKey")?,
                    OutputFormat::Table => output::line(&format!("{} is revoked", key.name)),
                }
            }
        }
        Ok(())
    }
}

async fn list(client: &mut IdentityClient, project: String, format: OutputFormat) -> Result<()> {
    let mut all = weft_proto::weft::identity::v1::ListApiKeysResponse::default();
    let mut page_token = String::new();
    loop {
        let request =
            ListApiKeysRequest { parent: format!("projects/{project}"), page_size: 1_000, page_token };
        let page = client.list_api_keys(request).await?.into_inner();
        all.api_keys.extend(page.api_keys);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.identity.v1.ListApiKeysResponse");
    }
    let rows = all.api_keys.iter().map(|key| {
        let state = if key.revoke_time.is_some() { "revoked" } else { "good" };
        vec![
            key.name.clone(),
            role_word(key.role()).to_owned(),
            key.scopes.join(" "),
            state.to_owned(),
            output::time(key.last_use_time.as_ref()),
            key.display_name.clone(),
        ]
    });
    output::table(&["name", "role", "scopes", "state", "last used", "for"], &[], rows);
    Ok(())
}

/// `weft whoami`
pub(crate) async fn who_am_i(connection: &Connection, format: OutputFormat) -> Result<()> {
    let principal = connection.identity().who_am_i(WhoAmIRequest {}).await?.into_inner();
    if format == OutputFormat::Json {
        return output::json(&principal, "weft.identity.v1.Principal");
    }
    output::line(&format!("{} ({})", principal.name, principal.display_name));
    for grant in &principal.grants {
        output::line(&format!("  {} in {}", role_word(grant.role()), grant.project));
    }
    Ok(())
}

/// `weft login`
pub(crate) async fn login(connection: &Connection, format: OutputFormat) -> Result<()> {
    let ticket =
        connection.identity().create_ticket(CreateTicketRequest { request_id: new_request_id() }).await;
    let ticket = ticket.context("no ticket could be made")?.into_inner();
    let link = format!("{}/#ticket={}", connection.url.trim_end_matches('/'), ticket.ticket);
    match format {
        OutputFormat::Table => output::line(&link),
        OutputFormat::Json => output::line(&serde_json::json!({ "url": link }).to_string()),
    }
    Ok(())
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "none",
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

/// A fresh id, so that a request which is sent twice happens once.
#[expect(clippy::disallowed_methods, reason = "the command line is where requests begin")]
pub(crate) fn new_request_id() -> String {
    Uuid::new_v4().to_string()
}
