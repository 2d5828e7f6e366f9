//! ListLabelValues.

use std::collections::BTreeSet;

use weft_kit::{
    Call,
    cursor::{Cursor, CursorReader},
    paging::{List, page_size},
};
use weft_proto::weft::telemetry::v1::{ListLabelValuesRequest, ListLabelValuesResponse};
use weft_series::promql;

use crate::{Error, domain::name, samples::project::Project, state::State};

pub(crate) fn handle(
    state: &State,
    call: Call<ListLabelValuesRequest>,
) -> Result<ListLabelValuesResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListLabelValues", &request.parent, &request.label, &request.selector]);
    let cursor = list.cursor(&request.page_token)?;
    let after = match CursorReader::new(&cursor) {
        None => String::new(),
        Some(mut reader) => {
            let after = reader.text()?.to_owned();
            reader.end()?;
            after
        }
    };
    state.ready()?;
    let size = page_size(request.page_size, 1_000, 10_000) as usize;
    let Some(project) = state.projects.find(name::project(&request.parent)) else {
        return Ok(ListLabelValuesResponse::default());
    };
    let all = values(&project.read(), &request.label, &request.selector)?;
    let mut values: Vec<String> = all.into_iter().filter(|value| *value > after).take(size + 1).collect();
    let is_last = values.len() <= size;
    values.truncate(size);
    let next_page_token = match values.last() {
        Some(last) if !is_last => list.token(Cursor::default().text(last).as_str()),
        _ => String::new(),
    };
    Ok(ListLabelValuesResponse { values, next_page_token })
}

fn values(project: &Project, label: &str, selector: &str) -> Result<BTreeSet<String>, Error> {
    if selector.is_empty() {
        return Ok(if label.is_empty() {
            project.index.names().into_iter().map(str::to_owned).collect()
        } else {
            project.index.values(label).map(|(value, _)| value.to_owned()).collect()
        });
    }
    let found = project.index.matching(&promql::selector(selector)?);
    let mut values = BTreeSet::new();
    for id in found {
        let labels = &project.index.series(id).labels;
        if label.is_empty() {
            values.extend(labels.iter().map(|(name, _)| name.to_owned()));
        } else if !labels.get(label).is_empty() {
            values.insert(labels.get(label).to_owned());
        }
    }
    Ok(values)
}
