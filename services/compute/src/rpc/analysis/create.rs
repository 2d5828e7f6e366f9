//! CreateAnalysis: accepts an analysis, which begins when it is its turn.

use prost::Message;
use uuid::Uuid;
use weft_kit::Call;
use weft_proto::weft::compute::v1::{Analysis, CreateAnalysisRequest, algorithm::Kind};
use weft_store::{AnalysisRow, AnalysisState, NewAnalysis, StoreError, Written, once};

use crate::{
    Error,
    analysis::{Analyses, check_algorithm, edge_type, message},
    domain::name::{AnalysisName, GraphName},
};

/// Analyses of a graph that is gone are forgotten so many at a time.
const LEFT_OVER: u32 = 1_000;

pub(crate) async fn handle(
    analyses: &Analyses,
    call: Call<CreateAnalysisRequest>,
) -> Result<Analysis, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateAnalysis", &request_id, &request);
    let parent = GraphName::parse(&request.parent, "parent")?;
    let full = |id: &str| AnalysisName { graph: parent.clone(), analysis: id.to_owned() };
    if let Some(once) = &once
        && let Some(answer) = analyses.store.recall(once).await.map_err(Error::analysis_store(&parent))?
    {
        return once::replay(&answer).map_err(Error::Store);
    }

    let settings = message::settable(request.analysis.unwrap_or_default());
    let algorithm = settings.algorithm.clone().unwrap_or_default();
    check_algorithm(&algorithm)?;
    if settings.timeout.is_some_and(|timeout| !message::TIMEOUTS.contains(&timeout.seconds)) {
        return Err(Error::bad_field("analysis.timeout", "must be from 1 second to 1 hour"));
    }
    let writes_edges = !edge_type(&algorithm).is_empty();
    if !settings.write_property.is_empty() && matches!(algorithm.kind, Some(Kind::Similarity(_))) {
        let problem =
            "must be empty: rows are pairs, which are written as edges (similarity.write_edge_type)";
        return Err(Error::bad_field("analysis.write_property", problem));
    }
    if (writes_edges || !settings.write_property.is_empty()) && !caller.has_scope("graph.write") {
        return Err(Error::MayNotWrite);
    }
    let graph = analyses.find_graph(&request.parent).await?;
    let (nodes, edges) = (graph.node_count.max(0) as usize, graph.edge_count.max(0) as usize);
    analyses.check_memory(&request.parent, &algorithm, nodes, edges)?;
    let graph_uid = Uuid::parse_str(&graph.uid)
        .map_err(|_| Error::GraphUnavailable("it gave a graph without an identity".into()))?;
    let new = NewAnalysis {
        project: parent.project.clone(),
        graph: parent.graph.clone(),
        graph_uid,
        id: if request.analysis_id.is_empty() { analyses.ids.short() } else { request.analysis_id },
        uid: analyses.ids.uuid(),
        settings: settings.encode_to_vec().into(),
        creator: caller.name.to_string(),
        at: analyses.now(),
    };
    let name = full(&new.id);
    let answer = message::analysis(&row(&new))?;

    let turn = analyses.accepting.lock().await;
    check_open(analyses, &parent).await?;
    let mut cleared = false;
    loop {
        let remember = once::remember(once.clone(), &answer);
        match analyses.store.create_analysis(new.clone(), remember).await {
            Ok(Written::Done(_)) => break,
            Ok(Written::Replayed(answer)) => return once::replay(&answer).map_err(Error::Store),
            Err(StoreError::AlreadyExists { .. }) if !cleared => {
                let taken = super::row(analyses, &name).await?;
                if taken.graph_uid == new.graph_uid {
                    return Err(Error::AnalysisExists(name.to_string()));
                }
                // It is of an earlier graph of the same name.
                let left_over = analyses.store.analyses_of(taken.graph_uid, LEFT_OVER).await;
                for uid in left_over.map_err(Error::analysis_store(&name))? {
                    analyses.forget(uid).await.map_err(Error::analysis_store(&name))?;
                }
                cleared = true;
            }
            Err(error) => return Err(Error::analysis_store(&name)(error)),
        }
    }
    drop(turn);
    analyses.offered.notify_one();
    Ok(answer)
}

async fn check_open(analyses: &Analyses, parent: &GraphName) -> Result<(), Error> {
    let limit = analyses.options.max_open_analyses_per_project as u64;
    let open = analyses.store.count_open_analyses(&parent.project).await;
    if open.map_err(Error::analysis_store(parent))? >= limit {
        return Err(Error::Limit {
            reason: "TOO_MANY_ANALYSES",
            subject: format!("projects/{}", parent.project),
            limit,
            what: "analyses that wait or run",
        });
    }
    Ok(())
}

/// The row as the store will have it, for the answer that is remembered with it.
fn row(new: &NewAnalysis) -> AnalysisRow {
    AnalysisRow {
        project: new.project.clone(),
        graph: new.graph.clone(),
        graph_uid: new.graph_uid,
        id: new.id.clone(),
        uid: new.uid,
        settings: new.settings.clone(),
        creator: new.creator.clone(),
        state: AnalysisState::Pending,
        attempts: 0,
        owner: Uuid::nil(),
        lease_until: new.at,
        cancel_asked: false,
        report: bytes::Bytes::new(),
        created: new.at,
        started: None,
        ended: None,
    }
}
