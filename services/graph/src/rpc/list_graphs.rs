//! ListGraphs: the graphs of a project, by name or in another order.

use std::cmp::Ordering;

use weft_kit::{Call, paging};
use weft_proto::weft::graph::v1::{Graph, ListGraphsRequest, ListGraphsResponse};
use weft_store::Timestamp;

use super::{bad_page_token, cursor, next_page_token};
use crate::{
    Error,
    domain::{
        filter::{Filter, GRAPH, GraphRecord},
        order::{SortKey, parse_order},
        page::{Cursor, CursorError, CursorReader},
    },
    live::graph_message,
    state::State,
};

/// Rows that are read from the store at once.
const ROWS: u32 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    CreateTime,
    UpdateTime,
    NodeCount,
    EdgeCount,
}

pub(crate) async fn handle(
    state: &State,
    call: Call<ListGraphsRequest>,
) -> Result<ListGraphsResponse, Error> {
    let request = call.message;
    let project = request.parent.strip_prefix("projects/").unwrap_or_default();
    let filter = Filter::parse(&request.filter, &GRAPH)?;
    let order = parse_graph_order(&request.order_by)?;
    let size = paging::page_size(request.page_size, 50, 1_000) as usize;
    let list = paging::List::of(&["ListGraphs", &request.parent, &request.filter, &request.order_by]);
    let cursor = cursor(list, &request.page_token)?;
    let after = CursorReader::new(&cursor)
        .map(|reader| read_place(reader, &order))
        .transpose()
        .map_err(bad_page_token)?;

    let mut found: Vec<(Place, Graph)> = Vec::new();
    // In the order of names the store begins where the page does; in any other all are looked at.
    let mut after_id = match &after {
        Some(place) if order.is_empty() => place.id.clone(),
        _ => String::new(),
    };
    loop {
        let rows = state.graphs.store.list_graphs(project, &after_id, ROWS).await?;
        let Some(last) = rows.last() else { break };
        after_id.clone_from(&last.id);
        for row in &rows {
            let graph = graph_message(row);
            let place = Place::of(&row.id, &graph, &order);
            if filter.matches(&GraphRecord(&graph)) && after.as_ref().is_none_or(|after| place > *after) {
                found.push((place, graph));
            }
        }
        if order.is_empty() {
            if found.len() > size {
                break;
            }
        } else if found.len() > 4 * (size + 1) {
            keep_first(&mut found, size + 1);
        }
    }
    keep_first(&mut found, size + 1);
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(place, _)| place.cursor());
    Ok(ListGraphsResponse {
        graphs: found.into_iter().map(|(_, graph)| graph).collect(),
        next_page_token: next_page_token(list, next.as_ref()),
    })
}

fn parse_graph_order(order_by: &str) -> Result<Vec<SortKey<Field>>, Error> {
    let fields = [
        ("name", Field::Name),
        ("create_time", Field::CreateTime),
        ("update_time", Field::UpdateTime),
        ("node_count", Field::NodeCount),
        ("edge_count", Field::EdgeCount),
    ];
    let mut order = parse_order(order_by, &fields).map_err(|problem| Error::field("order_by", problem))?;
    // By name is the order that the store has.
    if matches!(order.first(), Some(SortKey { field: Field::Name, descending: false })) {
        order.clear();
    }
    Ok(order)
}

fn keep_first(found: &mut Vec<(Place, Graph)>, most: usize) {
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    found.truncate(most);
}

/// Where a graph stands: by the values that it is sorted by, then by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    values: Vec<(i64, bool)>,
    id: String,
    /// The id itself is sorted by, downwards.
    id_descending: bool,
}

impl Place {
    fn of(id: &str, graph: &Graph, order: &[SortKey<Field>]) -> Self {
        let micros =
            |time: Option<prost_types::Timestamp>| time.map_or(0, |time| Timestamp::from(&time).as_micros());
        let values = order.iter().take_while(|key| key.field != Field::Name).map(|key| {
            let value = match key.field {
                Field::Name => 0,
                Field::CreateTime => micros(graph.create_time),
                Field::UpdateTime => micros(graph.update_time),
                Field::NodeCount => graph.node_count,
                Field::EdgeCount => graph.edge_count,
            };
            (value, key.descending)
        });
        Self { values: values.collect(), id: id.to_owned(), id_descending: id_descends(order) }
    }

    fn cursor(&self) -> Cursor {
        let values =
            self.values.iter().fold(Cursor::default(), |cursor, (value, _)| cursor.text(&value.to_string()));
        values.text(&self.id)
    }
}

fn id_descends(order: &[SortKey<Field>]) -> bool {
    order.iter().any(|key| key.field == Field::Name && key.descending)
}

fn read_place(mut reader: CursorReader<'_>, order: &[SortKey<Field>]) -> Result<Place, CursorError> {
    let mut values = Vec::new();
    for key in order.iter().take_while(|key| key.field != Field::Name) {
        values.push((reader.text()?.parse().map_err(|_| CursorError)?, key.descending));
    }
    let id = reader.text()?.to_owned();
    reader.end()?;
    Ok(Place { values, id, id_descending: id_descends(order) })
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let turn = |order: Ordering, descending: bool| if descending { order.reverse() } else { order };
        let values = self.values.iter().zip(&other.values).map(|(a, b)| turn(a.0.cmp(&b.0), a.1));
        values
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| turn(self.id.cmp(&other.id), self.id_descending))
    }
}
