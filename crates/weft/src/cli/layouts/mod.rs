//! `weft layouts`: layouts of graphs, and what they keep to.

mod constraints;

use anyhow::{Result, bail};
use weft_proto::weft::compute::v1::{
    CreateLayoutRequest, DeleteLayoutRequest, Dimensions, Layout, LayoutState, ListLayoutsRequest,
    ListLayoutsResponse,
};

use super::{
    graph::full_name,
    identity::new_request_id,
    output::{self, OutputFormat},
};
use crate::client::{Connection, LayoutClient};

/// Layouts of graphs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LayoutsCommand {
    /// List the layouts of a graph.
    List {
        /// Id of the graph, or its whole name; all graphs of the default project if not given.
        graph: Option<String>,
    },
    /// Create a layout, which starts at once.
    Create {
        /// The layout: GRAPH/LAYOUT, or its whole name.
        layout: String,
        /// In space, and not in the plane.
        #[arg(long)]
        three_dimensions: bool,
    },
    /// Delete a layout, its pins and its constraints.
    Delete {
        /// The layout: GRAPH/LAYOUT, or its whole name.
        layout: String,
    },
    /// What layouts keep to beside their forces.
    #[command(subcommand)]
    Constraints(constraints::ConstraintsCommand),
}

impl LayoutsCommand {
    pub(crate) async fn run(self, connection: &Connection, format: OutputFormat) -> Result<()> {
        let mut client = connection.layouts();
        match self {
            Self::List { graph } => {
                let parent = graph.map_or("projects/default/graphs/-".to_owned(), |graph| full_name(&graph));
                list(&mut client, parent, format).await
            }
            Self::Create { layout, three_dimensions } => {
                let name = layout_name(&layout)?;
                let Some((parent, layout_id)) = name.split_once("/layouts/") else {
                    bail!("{name} is no layout")
                };
                let dimensions = if three_dimensions { Dimensions::Three } else { Dimensions::Two };
                let request = CreateLayoutRequest {
                    parent: parent.to_owned(),
                    layout_id: layout_id.to_owned(),
                    layout: Some(Layout { dimensions: dimensions.into(), ..Layout::default() }),
                    request_id: new_request_id(),
                };
                let made = client.create_layout(request).await?.into_inner();
                if format == OutputFormat::Json {
                    return output::json(&made, "weft.compute.v1.Layout");
                }
                output::line(&made.name);
                Ok(())
            }
            Self::Delete { layout } => {
                let name = layout_name(&layout)?;
                let request = DeleteLayoutRequest { name: name.clone(), etag: String::new() };
                client.delete_layout(request).await?;
                output::deleted(&name, format);
                Ok(())
            }
            Self::Constraints(command) => command.run(&mut client, format).await,
        }
    }
}

async fn list(client: &mut LayoutClient, parent: String, format: OutputFormat) -> Result<()> {
    let mut request = ListLayoutsRequest { parent, ..ListLayoutsRequest::default() };
    let mut all = ListLayoutsResponse::default();
    loop {
        let page = client.list_layouts(request.clone()).await?.into_inner();
        all.layouts.extend(page.layouts);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.compute.v1.ListLayoutsResponse");
    }
    let row = |layout: &Layout| {
        let state = layout.state().as_str_name().trim_start_matches("LAYOUT_STATE_").to_lowercase();
        let state = if layout.state() == LayoutState::Unspecified { String::new() } else { state };
        vec![layout.name.clone(), state, output::number(layout.node_count), layout.tick.to_string()]
    };
    output::table(&["name", "state", "nodes", "steps"], &[2, 3], all.layouts.iter().map(row));
    Ok(())
}

/// `debian/main` is `projects/default/graphs/debian/layouts/main`.
fn layout_name(layout: &str) -> Result<String> {
    if layout.starts_with("projects/") {
        return Ok(layout.to_owned());
    }
    match layout.split_once('/') {
        Some((graph, id)) if !id.contains('/') => Ok(format!("{}/layouts/{id}", full_name(graph))),
        _ => bail!("a layout is named GRAPH/LAYOUT, or projects/PROJECT/graphs/GRAPH/layouts/LAYOUT"),
    }
}

#[cfg(test)]
mod tests {
    use super::layout_name;

    #[test]
    fn layouts_have_short_names() {
        let whole = "projects/p/graphs/g/layouts/l";
        assert_eq!(layout_name(whole).expect("it is whole"), whole);
        assert_eq!(layout_name("g/l").expect("it is short"), "projects/default/graphs/g/layouts/l");
        assert!(layout_name("g").is_err());
        assert!(layout_name("a/b/c").is_err());
    }
}
