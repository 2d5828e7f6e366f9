//! `sql`: a statement in a database of the user's own, which is a PostgreSQL.
//!
//! The connection is made by the mesh, to an address that it has looked at ([`weft_kit::egress`]), and given to the driver: so
//! a name cannot lead inside, and what a server sends is bounded before the driver makes room for it.

mod connection;
mod fault;
mod link;
mod metered;
mod number;
mod parameter;
mod pool;
mod query;
mod statement;
mod temporal;
#[cfg(test)]
mod tests;
mod value;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

pub(crate) use pool::Databases;

use super::{Attempt, Behaviour, FAILURE, Kind, Move, Outside, Port, Settings};
use crate::domain::{expression::Variables, fault::StepError, template::Template};

/// Rows that are given where nothing is said, and at most.
const ROWS: u64 = 1_000;
const MOST_ROWS: u64 = 100_000;
/// Most parameters of a statement.
const PARAMETERS: usize = 1_000;
/// Largest list of authorities, in bytes.
const LARGEST_CA: usize = 256 << 10;

pub(crate) struct Sql;

impl Kind for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }
    fn title(&self) -> &'static str {
        "SQL statement"
    }
    fn description(&self) -> &'static str {
        "Runs one statement in a PostgreSQL database, in a transaction of its own that may only read unless `writes` is set, \
         and gives `rows`, as objects, and `row_count`. Values reach the database as parameters and never as part of the \
         statement. Databases of this machine and of private networks are refused as for `http`."
    }
    fn inputs(&self) -> &'static [Port] {
        const { &[Port::input("what expressions call `input`")] }
    }
    fn outputs(&self) -> &'static [Port] {
        const { &[Port::output("out", "object", "`rows` and `row_count`"), FAILURE] }
    }
    fn settings(&self) -> (Json, &'static [&'static str]) {
        let properties = json!({
            "connection": {
                "type": "string",
                "description": "the secret that has the database's URL, as \"${secrets.name}\": \
                    postgres://user:password@host:port/database. Its server must show a certificate for the host's name, \
                    unless the URL says sslmode=disable",
            },
            "statement": {
                "type": "string",
                "format": "sql",
                "description": "one statement, without expressions; $1, $2 and so on are the parameters",
            },
            "parameters": {
                "type": "array",
                "description": "values of $1, $2 and so on, with expressions and secrets",
            },
            "writes": {"type": "boolean", "description": "let the statement change something"},
            "max_rows": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_ROWS,
                "default": ROWS,
                "description": "more rows than this are a failure",
            },
            "ca": {
                "type": "string",
                "description": "certificates of the authorities that the server's is signed by, as PEM; those of the system \
                    when not given",
            },
        });
        (properties, &["connection", "statement"])
    }
    fn acts(&self) -> bool {
        true
    }
    fn stops_itself(&self) -> bool {
        true
    }
    fn compile(&self, settings: &mut Settings<'_>) -> Box<dyn Behaviour> {
        let connection = settings.address_in_secret("connection");
        let text = settings.text("statement");
        let given = settings.get("parameters");
        let counted = given.map_or(Some(0), |given| given.as_array().map(Vec::len));
        match statement::look(&text) {
            _ if !settings.get("statement").is_some_and(Json::is_string) => {}
            Err(problem) => settings.wrong("statement", problem),
            Ok(named) => match counted {
                Some(count) if count > PARAMETERS => {
                    settings.wrong("parameters", format!("must be at most {PARAMETERS}"));
                }
                Some(count) if count != named => {
                    let problem = format!("are {count}, and the statement has {named}: $1, $2 and so on");
                    settings.wrong("parameters", problem);
                }
                // A list that an expression gives is counted when it is there.
                _ => {}
            },
        }
        if given.is_some_and(|given| !given.is_array() && !given.is_string()) {
            settings.wrong("parameters", "must be a list");
        }
        let ca = settings.get("ca").map(|_| settings.text("ca"));
        if let Some(ca) = ca.as_deref().filter(|ca| !ca.is_empty()) {
            if ca.len() > LARGEST_CA {
                settings.wrong("ca", format!("must be at most {LARGEST_CA} bytes"));
            } else if let Err(problem) = weft_kit::egress::connector(Some(ca)) {
                settings.wrong("ca", format!("must be certificates as PEM: {problem}"));
            }
        }
        Box::new(Asked {
            connection,
            statement: text,
            parameters: settings.outward("parameters", json!([])),
            writes: settings.flag("writes"),
            max_rows: settings.number("max_rows", ROWS, (1, MOST_ROWS)),
            ca,
        })
    }
    fn perform<'a>(
        &'a self,
        outside: &'a Outside,
        attempt: &'a Attempt,
        request: Arc<Json>,
    ) -> BoxFuture<'a, Result<Json, StepError>> {
        Box::pin(async move {
            let revealed = outside.secrets.reveal(&attempt.project, request).await?;
            query::ask(&outside.databases, attempt, revealed).await
        })
    }
}

struct Asked {
    connection: Template,
    statement: String,
    parameters: Template,
    writes: bool,
    max_rows: u64,
    ca: Option<String>,
}

impl Behaviour for Asked {
    fn start(&self, step: &dyn Variables, _now: i64) -> Result<Move, StepError> {
        let parameters = self.parameters.fill(step)?;
        if parameters.as_array().is_none_or(|given| given.len() > PARAMETERS) {
            let message = format!("the parameters must be a list of at most {PARAMETERS}");
            return Err(StepError::new("BAD_REQUEST", message));
        }
        let mut request = Map::new();
        request.insert("connection".into(), self.connection.fill(step)?);
        request.insert("statement".into(), self.statement.clone().into());
        request.insert("parameters".into(), parameters);
        request.insert("writes".into(), self.writes.into());
        request.insert("max_rows".into(), self.max_rows.into());
        request.insert("ca".into(), self.ca.clone().into());
        Ok(Move::Perform(Arc::new(Json::Object(request))))
    }
}
