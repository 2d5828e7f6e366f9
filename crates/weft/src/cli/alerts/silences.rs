//! `weft alerts silences`.

use std::time::Duration;

use anyhow::Result;
use weft_kit::Clock;
use weft_proto::weft::telemetry::v1::{
    AlertMatcher, CreateSilenceRequest, EndSilenceRequest, ListSilencesRequest, ListSilencesResponse, Silence,
};

use super::{matcher, show};
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
        telemetry::duration,
    },
    client::AlertClient,
};

/// What nobody is to be told of for a while.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SilencesCommand {
    /// List silences.
    List {
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// Keep quiet about alerts.
    Create {
        /// Which: `host=node7`, `host!=node7`, `host=~node.*`; all of them must match.
        #[arg(required = true, value_name = "MATCHER", value_parser = matcher)]
        matchers: Vec<AlertMatcher>,
        /// For how long.
        #[arg(long = "for", value_name = "DURATION", default_value = "2h", value_parser = duration)]
        span: Duration,
        /// Why.
        #[arg(long, default_value = "")]
        comment: String,
        /// The project.
        #[arg(long, default_value = "default")]
        project: String,
    },
    /// End a silence now.
    End {
        /// Name of the silence, `projects/{project}/silences/{silence}`.
        name: String,
    },
}

impl SilencesCommand {
    pub(super) async fn run(self, client: &mut AlertClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { project } => {
                let parent = format!("projects/{project}");
                let mut request = ListSilencesRequest { parent, page_size: 1_000, page_token: String::new() };
                let mut all = ListSilencesResponse::default();
                loop {
                    let page = client.list_silences(request.clone()).await?.into_inner();
                    all.silences.extend(page.silences);
                    if page.next_page_token.is_empty() {
                        break;
                    }
                    request.page_token = page.next_page_token;
                }
                if format == OutputFormat::Json {
                    return output::json(&all, "weft.telemetry.v1.ListSilencesResponse");
                }
                show::silences(&all.silences);
                Ok(())
            }
            Self::Create { matchers, span, comment, project } => {
                let silence = Silence {
                    matchers,
                    comment,
                    end_time: Some((Clock::system().now() + span).into()),
                    ..Silence::default()
                };
                let request = CreateSilenceRequest {
                    parent: format!("projects/{project}"),
                    silence_id: String::new(),
                    silence: Some(silence),
                    request_id: new_request_id(),
                };
                shown(&client.create_silence(request).await?.into_inner(), format)
            }
            Self::End { name } => {
                shown(&client.end_silence(EndSilenceRequest { name }).await?.into_inner(), format)
            }
        }
    }
}

fn shown(silence: &Silence, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(silence, "weft.telemetry.v1.Silence");
    }
    show::silences(std::slice::from_ref(silence));
    Ok(())
}
