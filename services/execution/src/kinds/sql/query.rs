//! One statement in a transaction of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, pin_mut};
use serde_json::{Map, Value as Json, json};
use tokio::time::timeout;
use tokio_postgres::{Client, Row, Statement};

use super::{
    connection::Target,
    fault,
    metered::Allowance,
    parameter::Parameter,
    pool::{Databases, Lent},
    value::{self, Raw, Unread},
};
use crate::{
    domain::fault::StepError,
    kinds::Attempt,
    secrets::{Mask, Revealed},
};

/// How long a database may take to do what ends a statement.
const GRACE: Duration = Duration::from_secs(4);
/// Answers that may come until it is known what a statement takes and gives. The driver asks for every type that it does not
/// know, and for those that one is made of, each from within the other: a database may not make that endless.
const ANSWERS: u64 = 100;

/// What is asked.
struct Asked<'r> {
    statement: &'r str,
    parameters: &'r [Json],
    writes: bool,
    max_rows: usize,
    most_bytes: usize,
    /// What the statement can know its step by.
    key: &'r str,
    until: Instant,
}

/// Asks a database, and gives its answer without what is private.
pub(super) async fn ask(
    databases: &Databases,
    attempt: &Attempt,
    revealed: Revealed,
) -> Result<Json, StepError> {
    let until = attempt.patience().into_std();
    let request = &*revealed.request;
    let url = request["connection"].as_str().unwrap_or_default();
    let target = Target::of(&attempt.project, url, request["ca"].as_str())?;
    revealed.may_go_to_database((&target.host, target.port), target.is_secure)?;
    let mask = Mask::of(target.private.iter());
    let without = |error: StepError| revealed.mask.error(mask.error(error));
    let asked = Asked {
        statement: request["statement"].as_str().unwrap_or_default(),
        parameters: request["parameters"].as_array().map(Vec::as_slice).unwrap_or_default(),
        writes: request["writes"] == true,
        max_rows: request["max_rows"].as_u64().and_then(|most| most.try_into().ok()).unwrap_or_default(),
        most_bytes: databases.most_bytes(),
        key: &attempt.key,
        until,
    };
    let stop = &attempt.stop;
    let had = async {
        let turn = databases.turn(&attempt.project, &target).await;
        let lent = begun(databases, &target, &asked).await?;
        Ok((turn, lent))
    };
    let (turn, mut lent) = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(fault::cancelled()),
        had = had => had.map_err(without)?,
    };
    let cancel = lent.link.cancel();
    let allowance = Arc::clone(&lent.link.allowance);
    let mut work = Box::pin(lent.link.drive(async |client| answered(client, &allowance, &asked).await));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        () = stop.cancelled() => {
            // A statement that nobody waits for is not to go on in somebody's database.
            let ended = async {
                cancel.send(databases.egress(), &target).await?;
                (&mut work).await
            };
            drop(timeout(GRACE, ended).await);
            return Err(fault::cancelled());
        }
    };
    drop(work);
    if done.is_ok() {
        databases.give_back(target.key, lent, turn);
    }
    done.map(|value| revealed.mask.value(value)).map_err(without)
}

/// A connection with a transaction on it. One that was kept may be lost by now: then there is another.
async fn begun(databases: &Databases, target: &Target, asked: &Asked<'_>) -> Result<Lent, StepError> {
    let mut fresh = false;
    loop {
        let mut lent = databases.lend(target, fresh).await?;
        // What is given is twice as long in JSON, or half.
        lent.link.allowance.set(2 * asked.most_bytes as u64 + (1 << 20));
        let left = asked.until.saturating_duration_since(Instant::now()).as_millis().clamp(1, 1 << 30);
        let mode = if asked.writes { "READ WRITE" } else { "READ ONLY" };
        let key: String =
            asked.key.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        let begin = format!(
            "BEGIN {mode}; SET LOCAL statement_timeout = {left}; SET LOCAL idle_in_transaction_session_timeout = {left}; \
             SET LOCAL weft.idempotency_key = '{key}'"
        );
        let begun = lent.link.drive(async |client| {
            client.batch_execute(&begin).await.map_err(|error| fault::of_statement(&error))
        });
        match begun.await {
            Ok(()) => return Ok(lent),
            Err(_) if lent.is_old => fresh = true,
            Err(error) => return Err(error),
        }
    }
}

async fn answered(client: &Client, allowance: &Allowance, asked: &Asked<'_>) -> Result<Json, StepError> {
    let failed = |error: tokio_postgres::Error| fault::of_statement(&error);
    allowance.set_answers(Some(ANSWERS));
    let statement = client.prepare(asked.statement).await.map_err(failed)?;
    allowance.set_answers(None);
    check(&statement, asked)?;
    let parameters: Vec<Parameter<'_>> = asked.parameters.iter().map(Parameter).collect();
    let rows = client.query_raw(&statement, &parameters).await.map_err(failed)?;
    pin_mut!(rows);
    let (mut given, mut room) = (Vec::new(), asked.most_bytes);
    while let Some(row) = rows.next().await {
        let row = row.map_err(failed)?;
        if given.len() == asked.max_rows {
            let message =
                format!("the statement gives more than {} rows: set `max_rows`, or a LIMIT", asked.max_rows);
            return Err(StepError::new("SQL_TOO_MANY_ROWS", message));
        }
        given.push(object(&row, &mut room)?);
    }
    let count = rows.rows_affected().unwrap_or(given.len() as u64);
    client.batch_execute("COMMIT").await.map_err(failed)?;
    Ok(json!({"rows": given, "row_count": count}))
}

/// Whether what the statement wants and gives can be had.
fn check(statement: &Statement, asked: &Asked<'_>) -> Result<(), StepError> {
    let (wants, has) = (statement.params().len(), asked.parameters.len());
    if wants != has {
        let message = format!("the statement has {wants} parameters, and is given {has}");
        return Err(StepError::new("SQL_PARAMETERS", message));
    }
    // A connection that is kept knows its types, and is not to know them deeper and deeper.
    for (at, of) in statement.params().iter().enumerate() {
        value::check_depth(of).map_err(|unread| told(&format!("${}", at + 1), &unread))?;
    }
    let mut names = std::collections::HashSet::new();
    for column in statement.columns() {
        if !names.insert(column.name()) {
            let message = format!("two columns are called {:?}: name one of them with AS", column.name());
            return Err(StepError::new("SQL_STATEMENT", message));
        }
        value::check(column.type_()).map_err(|unread| told(column.name(), &unread))?;
    }
    Ok(())
}

fn object(row: &Row, room: &mut usize) -> Result<Json, StepError> {
    let mut members = Map::new();
    for (at, column) in row.columns().iter().enumerate() {
        let raw: Raw<'_> = row.try_get(at).map_err(|error| fault::of_statement(&error))?;
        let value = value::json(&raw, room).map_err(|unread| told(column.name(), &unread))?;
        // A name with its quotes, colon and comma.
        *room = room.checked_sub(column.name().len() + 4).ok_or_else(fault::too_large)?;
        members.insert(column.name().to_owned(), value);
    }
    *room = room.checked_sub(3).ok_or_else(fault::too_large)?;
    Ok(Json::Object(members))
}

fn told(column: &str, unread: &Unread) -> StepError {
    match unread {
        Unread::Type(name) => {
            let message =
                format!("{column:?} has the type {name}, for which there is no JSON: cast it to text");
            StepError::new("SQL_TYPE", message)
        }
        Unread::Value(problem) => StepError::new("SQL_TYPE", format!("{column:?} {problem}")),
        Unread::TooLarge => fault::too_large(),
    }
}
