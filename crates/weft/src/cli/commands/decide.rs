//! `weft commands approve` and `reject`: what a second person says.

use anyhow::Result;
use weft_proto::weft::command::v1::{ApproveCommandRequest, Command, RejectCommandRequest};

use super::whole;
use crate::client::CommandClient;

/// What is decided on.
#[derive(Debug, clap::Args)]
pub(crate) struct Decide {
    /// Name of the command, or its last part.
    name: String,
    /// What there is to say to it.
    #[arg(long, default_value = "")]
    comment: String,
    /// The project, where the name is a last part.
    #[arg(long, default_value = "default")]
    project: String,
}

impl Decide {
    pub(super) async fn approve(self, client: &mut CommandClient) -> Result<Command> {
        let name = whole(&self.project, "commands", &self.name);
        let request = ApproveCommandRequest { name, comment: self.comment };
        Ok(client.approve_command(request).await?.into_inner())
    }

    pub(super) async fn reject(self, client: &mut CommandClient) -> Result<Command> {
        let name = whole(&self.project, "commands", &self.name);
        let request = RejectCommandRequest { name, comment: self.comment };
        Ok(client.reject_command(request).await?.into_inner())
    }
}
