//! `weft gateway`: what the edge serves, and calling any of it with JSON.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Stdin, stdin};
use tonic::Status;
use weft_proto::weft::{
    gateway::v1::{CallKind, ListRoutesRequest, ListRoutesResponse, Route},
    options::v1::Access,
};

use super::output::{self, OutputFormat, line};
use crate::client::{AnyMethod, Connection, headers};

/// What the edge serves, and calling any of it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum GatewayCommand {
    /// List every method that is served: where, what kind of call, for whom, and by which upstream.
    Routes {
        /// Only those of one upstream of the configuration.
        #[arg(long)]
        upstream: Option<String>,
    },
    /// Call any method by its name with JSON; answers are JSON, one a line.
    #[command(after_help = CURL_HELP)]
    Curl(Curl),
}

const CURL_HELP: &str = "Examples:
  weft gateway curl weft.graph.v1.GraphService/ListGraphs '{\"parent\": \"projects/default\"}'
  weft gateway curl weft.graph.v1.GraphService/WatchGraph '{\"graph\": \"projects/default/graphs/debian\"}'
  echo '{\"value\": 1}' | weft gateway curl theirs.v1.Adder/Sum -";

/// Call a method.
#[derive(Debug, clap::Args)]
pub(crate) struct Curl {
    /// The method: `package.Service/Method`.
    method: String,
    /// The message as JSON; `-` reads standard input: one message, or one a line where the method takes a
    /// stream of them.
    #[arg(default_value = "{}", value_name = "JSON")]
    message: String,
    /// A header that goes with it, `name: value`; may be given several times.
    #[arg(long, short = 'H', value_name = "HEADER")]
    header: Vec<String>,
    /// How long it may take: `300ms`, `2.5s`, `1m`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

impl GatewayCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        match self {
            Self::Routes { upstream } => routes(connection, upstream.as_deref(), format).await,
            Self::Curl(curl) => curl.run(connection).await,
        }
    }
}

async fn routes(connection: &Connection, upstream: Option<&str>, format: OutputFormat) -> Result<()> {
    let mut client = connection.gateway();
    let mut all = ListRoutesResponse::default();
    let mut page_token = String::new();
    loop {
        let request = ListRoutesRequest { parent: "projects/mesh".to_owned(), page_size: 0, page_token };
        let page = client.list_routes(request).await?.into_inner();
        all.routes.extend(page.routes);
        all.problems = page.problems;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if let Some(upstream) = upstream {
        all.routes.retain(|route| route.upstream == upstream);
        all.problems.retain(|problem| problem.upstream == upstream);
        if all.routes.is_empty() && all.problems.is_empty() {
            return Err(Status::not_found(format!("there is no upstream {upstream}")).into());
        }
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.gateway.v1.ListRoutesResponse");
    }
    output::table(
        &["method", "call", "for", "http", "upstream", "connections"],
        &[],
        all.routes.iter().map(row),
    );
    for problem in &all.problems {
        line(&format!("{} is not served as it should be: {}", problem.upstream, problem.description));
    }
    Ok(())
}

fn row(route: &Route) -> Vec<String> {
    let kind = match route.kind() {
        CallKind::Unspecified => "",
        CallKind::Unary => "unary",
        CallKind::ServerStream => "server stream",
        CallKind::ClientStream => "client stream",
        CallKind::BidirectionalStream => "both streams",
    };
    let access = match route.access() {
        Access::Unspecified => "",
        Access::Public => "everybody",
        Access::Authenticated => "signed in",
        Access::Viewer => "viewer",
        Access::Operator => "operator",
        Access::Admin => "admin",
        Access::Mesh => "mesh",
    };
    let http = route.http_routes.iter().map(|http| format!("{} {}", http.method, http.path));
    let connections = match (route.upstream.as_str(), route.healthy_connection_count) {
        ("", _) => String::new(),
        (_, healthy) => format!("{healthy} of {}", route.connection_count),
    };
    vec![
        route.path.trim_start_matches('/').to_owned(),
        kind.to_owned(),
        access.to_owned(),
        http.collect::<Vec<_>>().join("\n"),
        route.upstream.clone(),
        connections,
    ]
}

impl Curl {
    async fn run(self, connection: &Connection) -> Result<()> {
        let headers =
            headers(&self.header).map_err(|error| Status::invalid_argument(format!("{error:#}")))?;
        let method = AnyMethod { connection, path: path(&self.method)?, headers, timeout: self.timeout };
        let called = async {
            if !method.is_stream().await? {
                let answer = method.unary(self.one_message().await?).await?;
                line(&String::from_utf8_lossy(&answer));
                return Ok(());
            }
            let mut answers = method.stream(self.messages()).await?;
            while let Some(answer) = answers.next().await? {
                line(&String::from_utf8_lossy(&answer));
            }
            Ok(())
        };
        let Some(timeout) = self.timeout else { return called.await };
        // The mesh keeps the time too; this is for one that does not answer at all.
        let late = || Err(Status::deadline_exceeded("there is no answer in time").into());
        tokio::time::timeout(timeout.saturating_add(Duration::from_secs(1)), called)
            .await
            .unwrap_or_else(|_| late())
    }

    async fn one_message(&self) -> Result<Bytes> {
        if self.message != "-" {
            return Ok(self.message.clone().into());
        }
        let mut text = Vec::new();
        stdin().read_to_end(&mut text).await.context("standard input")?;
        Ok(text.into())
    }

    /// The messages of a stream: the one that is typed, or those of standard input, as they come.
    fn messages(&self) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
        if self.message != "-" {
            return stream::iter([Ok(Bytes::from(self.message.clone()))]).boxed();
        }
        let lines = BufReader::new(stdin()).lines();
        let next = |mut lines: Lines<BufReader<Stdin>>| async move {
            loop {
                match lines.next_line().await {
                    Ok(Some(line)) if line.trim().is_empty() => {}
                    Ok(Some(line)) => return Some((Ok(Bytes::from(line)), lines)),
                    Ok(None) => return None,
                    Err(error) => return Some((Err(error.into()), lines)),
                }
            }
        };
        stream::unfold(lines, next).boxed()
    }
}

/// `package.Service/Method` or `package.Service.Method` as a path.
fn path(method: &str) -> Result<String, Status> {
    let name = method.strip_prefix('/').unwrap_or(method);
    let parts = name.split_once('/').or_else(|| name.rsplit_once('.'));
    match parts {
        Some((service, method)) if !service.is_empty() && !method.is_empty() => {
            Ok(format!("/{service}/{method}"))
        }
        _ => Err(Status::invalid_argument(format!("{name:?} is no method: write package.Service/Method"))),
    }
}

fn duration(text: &str) -> Result<Duration> {
    weft_kit::timeout::parse(text).context("must be a time such as 300ms, 2.5s or 1m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_named_in_every_common_way() {
        for name in ["a.v1.S/M", "/a.v1.S/M", "a.v1.S.M"] {
            assert_eq!(path(name).expect("a name"), "/a.v1.S/M");
        }
        for name in ["", "/", "M", "a.S/", "/M"] {
            assert!(path(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [("300ms", 300), ("2.5s", 2_500), ("1m", 60_000), ("2", 2_000)] {
            assert_eq!(duration(text).expect("a time"), Duration::from_millis(millis));
        }
        for text in ["", "soon", "-1s", "1h", "NaNs"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }
}
