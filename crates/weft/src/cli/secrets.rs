//! `weft secrets`: values that workflows use and nobody is shown.

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result};
use prost_types::FieldMask;
use tonic::Code;
use weft_proto::weft::identity::v1::{
    CreateSecretRequest, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, ListSecretsResponse,
    Secret, UpdateSecretRequest,
};

use super::{
    identity::new_request_id,
    output::{self, OutputFormat},
};
use crate::client::Connection;

const SECRET: &str = "weft.identity.v1.Secret";

/// Secrets of workflows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SecretsCommand {
    /// Set the value of a secret: it is created, or has another value from now on.
    Set(Set),
    /// List the secrets of a project, without their values.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Show what is said of a secret, without its value.
    Get {
        /// Name of the secret, `projects/{project}/secrets/{secret}`, or its id in the project `default`.
        name: String,
    },
    /// Delete a secret: steps that name it fail from then on.
    Delete {
        /// Name of the secret.
        name: String,
    },
}

/// `weft secrets set`
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// Name of the secret, `projects/{project}/secrets/{secret}`, or its id in the project `default`.
    name: String,
    /// The file that has the value; without it, it is read from standard input. A line break at its end is not part of
    /// it. (A value on the command line would be in the shell's history.)
    #[arg(long, value_name = "FILE")]
    from_file: Option<std::path::PathBuf>,
    /// A host that it may be sent to, such as api.github.com, *.example.org or http://printer.lan:8080; may be given
    /// several times. Without it a new secret may go wherever workflows may, and one that is there where it might.
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Let it go wherever workflows may.
    #[arg(long, conflicts_with = "allow_host")]
    any_host: bool,
    /// What it is for.
    #[arg(long, default_value = "")]
    display_name: String,
}

impl SecretsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.secrets();
        match self {
            Self::Set(set) => return set.run(connection, format).await,
            Self::List { project } => {
                let mut all = ListSecretsResponse::default();
                let mut page_token = String::new();
                loop {
                    let request = ListSecretsRequest {
                        parent: format!("projects/{project}"),
                        page_size: 1_000,
                        page_token,
                    };
                    let page = client.list_secrets(request).await?.into_inner();
                    all.secrets.extend(page.secrets);
                    page_token = page.next_page_token;
                    if page_token.is_empty() {
                        break;
                    }
                }
                if format == OutputFormat::Json {
                    return output::json(&all, "weft.identity.v1.ListSecretsResponse");
                }
                let rows = all.secrets.iter().map(|secret| {
                    vec![
                        secret.name.clone(),
                        secret.allowed_hosts.join(" "),
                        output::time(secret.value_time.as_ref()),
                        secret.display_name.clone(),
                    ]
                });
                output::table(&["name", "hosts", "value set", "for"], &[], rows);
            }
            Self::Get { name } => {
                let request = GetSecretRequest { name: whole(&name) };
                show(&client.get_secret(request).await?.into_inner(), format)?;
            }
            Self::Delete { name } => {
                let name = whole(&name);
                let request = DeleteSecretRequest { name: name.clone(), etag: String::new() };
                client.delete_secret(request).await?;
                output::deleted(&name, format);
            }
        }
        Ok(())
    }
}

impl Set {
    async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let name = whole(&self.name);
        let (parent, id) =
            name.split_once("/secrets/").context("a name is projects/{project}/secrets/{secret}")?;
        let secret = Secret {
            name: name.clone(),
            value: self.value()?,
            display_name: self.display_name.clone(),
            allowed_hosts: self.allow_host.iter().map(|host| host.to_ascii_lowercase()).collect(),
            ..Secret::default()
        };
        let mut client = connection.secrets();
        let create = CreateSecretRequest {
            parent: parent.to_owned(),
            secret_id: id.to_owned(),
            secret: Some(secret.clone()),
            request_id: new_request_id(),
        };
        let set = match client.create_secret(create).await {
            Err(status) if status.code() == Code::AlreadyExists => {
                let mut paths = vec!["value".to_owned()];
                if self.any_host || !secret.allowed_hosts.is_empty() {
                    paths.push("allowed_hosts".to_owned());
                }
                if !secret.display_name.is_empty() {
                    paths.push("display_name".to_owned());
                }
                let update =
                    UpdateSecretRequest { secret: Some(secret), update_mask: Some(FieldMask { paths }) };
                client.update_secret(update).await?.into_inner()
            }
            created => created?.into_inner(),
        };
        show(&set, format)
    }

    fn value(&self) -> Result<String> {
        let mut value = String::new();
        if let Some(file) = &self.from_file {
            value = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        } else {
            // Typed here it would stay in sight.
            let advice = "pipe the value in, or name a file of it: --from-file FILE";
            anyhow::ensure!(!std::io::stdin().is_terminal(), advice);
            std::io::stdin().read_to_string(&mut value).context("standard input")?;
        }
        if value.ends_with('\n') {
            value.pop();
            if value.ends_with('\r') {
                value.pop();
            }
        }
        anyhow::ensure!(!value.is_empty(), "there is no value");
        Ok(value)
    }
}

/// A name, made whole where it is a last part.
fn whole(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("projects/default/secrets/{name}") }
}

fn show(secret: &Secret, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(secret, SECRET);
    }
    let hosts = secret.allowed_hosts.join(" ");
    let rows = [
        ("name", secret.name.clone()),
        ("for", secret.display_name.clone()),
        ("hosts", if hosts.is_empty() { "every one that workflows may reach".to_owned() } else { hosts }),
        ("created", format!("{} by {}", output::time(secret.create_time.as_ref()), secret.creator)),
        ("value set", output::time(secret.value_time.as_ref())),
    ];
    output::table(&["secret", ""], &[], rows.map(|(what, value)| vec![what.to_owned(), value]));
    Ok(())
}
