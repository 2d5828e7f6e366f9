//! `weft health`: is the mesh ready?

use anyhow::Result;
use tonic::Status;
use weft_proto::grpc::health::v1::{
    HealthListRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{output, output::OutputFormat};
use crate::client::Connection;

/// Is the mesh ready?
#[derive(Debug, clap::Args)]
pub(crate) struct HealthCommand {
    /// Only this service, for example `weft.graph.v1.GraphService`.
    service: Option<String>,
}

impl HealthCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = HealthClient::new(connection.peer());
        let statuses = client.list(HealthListRequest {}).await?.into_inner().statuses;
        let mut rows: Vec<_> = statuses
            .iter()
            .filter(|(name, _)| self.service.as_ref().is_none_or(|wanted| wanted == *name))
            .map(|(name, response)| (name.as_str(), response.status()))
            .collect();
        rows.sort_unstable_by_key(|(name, _)| *name);
        if rows.is_empty() {
            return Err(Status::not_found(format!(
                "there is no service {}",
                self.service.unwrap_or_default()
            ))
            .into());
        }
        let word = |status| if status == ServingStatus::Serving { "ready" } else { "not ready" };
        match format {
            OutputFormat::Table => {
                let rows = rows.iter().map(|(name, status)| {
                    vec![
                        if name.is_empty() { "(all)".to_owned() } else { (*name).to_owned() },
                        word(*status).to_owned(),
                    ]
                });
                output::table(&["service", "state"], &[], rows);
            }
            OutputFormat::Json => {
                let object: serde_json::Map<_, _> =
                    rows.iter().map(|(name, status)| ((*name).to_owned(), word(*status).into())).collect();
                output::line(&serde_json::to_string_pretty(&object)?);
            }
        }
        match rows.iter().find(|(_, status)| *status != ServingStatus::Serving) {
            Some((name, _)) => Err(Status::unavailable(format!("{name} is not ready")).into()),
            None => Ok(()),
        }
    }
}
