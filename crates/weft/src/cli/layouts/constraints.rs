//! `weft layouts constraints`.

use anyhow::{Context, Result};
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message;
use weft_proto::weft::compute::v1::{
    Constraint, CreateConstraintRequest, DeleteConstraintRequest, ListConstraintsRequest,
    ListConstraintsResponse, constraint::Rule,
};

use super::layout_name;
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
    },
    client::LayoutClient,
};

/// What layouts keep to beside their forces.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConstraintsCommand {
    /// List the constraints of a layout.
    List {
        /// The layout: GRAPH/LAYOUT, or its whole name.
        layout: String,
    },
    /// Add a constraint: a rule as the contract writes it in JSON.
    Create {
        /// The layout: GRAPH/LAYOUT, or its whole name.
        layout: String,
        /// Last part of the constraint's name; the mesh makes one up if not given.
        #[arg(long, default_value = "")]
        id: String,
        /// For example `{"distance": {"pairs": [{"a": "x", "b": "y"}], "distance": 20}}`.
        rule: String,
        /// Name for people.
        #[arg(long, default_value = "")]
        name: String,
        /// Share of what is missing that each step makes good, above 0, up to 1.
        #[arg(long)]
        strength: Option<f64>,
    },
    /// Take a constraint away.
    Delete {
        /// The layout: GRAPH/LAYOUT, or its whole name.
        layout: String,
        /// Last part of the constraint's name.
        id: String,
    },
}

impl ConstraintsCommand {
    pub(super) async fn run(self, client: &mut LayoutClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { layout } => list(client, layout_name(&layout)?, format).await,
            Self::Create { layout, id, rule, name, strength } => {
                let constraint = Constraint { display_name: name, strength, ..read(&rule)? };
                let request = CreateConstraintRequest {
                    parent: layout_name(&layout)?,
                    constraint_id: id,
                    constraint: Some(constraint),
                    request_id: new_request_id(),
                };
                let made = client.create_constraint(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&made, "weft.compute.v1.Constraint");
                }
                output::line(&made.name);
                Ok(())
            }
            Self::Delete { layout, id } => {
                let name = format!("{}/constraints/{id}", layout_name(&layout)?);
                let request = DeleteConstraintRequest { name: name.clone(), etag: String::new() };
                client.delete_constraint(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
        }
    }
}

async fn list(client: &mut LayoutClient, parent: String, format: OutputFormat) -> Result<()> {
    let mut request = ListConstraintsRequest { parent, ..ListConstraintsRequest::default() };
    let mut all = ListConstraintsResponse::default();
    loop {
        let page = client.list_constraints(request.clone()).await?.into_inner();
        all.constraints.extend(page.constraints);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.compute.v1.ListConstraintsResponse");
    }
    let row = |constraint: &Constraint| {
        let id = constraint.name.rsplit('/').next().unwrap_or_default().to_owned();
        let strength = constraint.strength.unwrap_or(1.0).to_string();
        let nodes = output::number(constraint.node_count);
        vec![id, kind(constraint).to_owned(), strength, nodes, constraint.display_name.clone()]
    };
    let rows = all.constraints.iter().map(row);
    output::table(&["id", "kind", "strength", "nodes", "name"], &[2, 3], rows);
    Ok(())
}

fn kind(constraint: &Constraint) -> &'static str {
    match constraint.rule {
        Some(Rule::Distance(_)) => "distance",
        Some(Rule::Hierarchy(_)) => "hierarchy",
        Some(Rule::Alignment(_)) => "alignment",
        Some(Rule::Cluster(_)) => "cluster",
        Some(Rule::Collision(_)) => "collision",
        Some(Rule::Boundary(_)) => "boundary",
        None => "",
    }
}

/// A constraint written in the contract's JSON.
fn read(rule: &str) -> Result<Constraint> {
    let descriptor = weft_proto::pool()
        .get_message_by_name("weft.compute.v1.Constraint")
        .context("the message is in the contracts")?;
    let mut json = serde_json::Deserializer::from_str(rule);
    let dynamic = DynamicMessage::deserialize(descriptor, &mut json).context("the rule")?;
    json.end().context("the rule")?;
    Ok(Constraint::decode(dynamic.encode_to_vec().as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_the_contract_writes_them() {
        let rule = read(r#"{"hierarchy": {"edgeType": "depends", "direction": {"y": -1}, "gap": 20}}"#);
        let rule = rule.expect("it is a rule");
        assert_eq!(kind(&rule), "hierarchy");
        assert!(read(r#"{"hierarchies": {}}"#).is_err());
        assert!(read("{} {}").is_err());
    }
}
