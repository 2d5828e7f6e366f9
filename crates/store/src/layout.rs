//! Where layouts are kept: what they are and what they should be doing, not where the nodes are.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::{Remember, Requests, Result, Timestamp, Written};

/// What a layout should be doing; what it does is known by the process that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DesiredState {
    /// Move nodes until they settle.
    Running,
    /// Rest.
    Stopped,
}

/// A layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutRow {
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Identity of its graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// Identity that is never used again.
    pub uid: Uuid,
    /// A `weft.compute.v1.Dimensions`.
    pub dimensions: i32,
    /// The compute service's encoding of its parameters.
    pub parameters: Bytes,
    /// Seed of the first placement.
    pub seed: u64,
    /// What it should be doing.
    pub desired_state: DesiredState,
    /// The compute service's encoding of the pinned nodes.
    pub pins: Bytes,
    /// Counts changes of the parameters, from 1: the number behind its etag.
    pub version: i64,
    /// The compute service's encoding of the constraints.
    pub constraints: Bytes,
    /// Counts changes of the constraints, from 0.
    pub constraints_version: i64,
    /// When it was created.
    pub created: Timestamp,
    /// When its parameters were changed last.
    pub updated: Timestamp,
}

/// A layout to be created, without pins and constraints.
#[derive(Clone, Debug)]
pub struct NewLayout {
    /// Id of its project.
    pub project: String,
    /// Id of its graph.
    pub graph: String,
    /// Identity of its graph.
    pub graph_uid: Uuid,
    /// Id in the graph.
    pub id: String,
    /// A fresh identity.
    pub uid: Uuid,
    /// A `weft.compute.v1.Dimensions`.
    pub dimensions: i32,
    /// Its parameters. At most [`crate::MAX_PART_BYTES`].
    pub parameters: Bytes,
    /// Seed of the first placement.
    pub seed: u64,
    /// What it should be doing.
    pub desired_state: DesiredState,
    /// When.
    pub at: Timestamp,
}

/// New values of some of a layout's fields; what is absent stays.
#[derive(Clone, Debug)]
pub struct LayoutUpdate {
    /// Identity of the layout.
    pub uid: Uuid,
    /// The version that the change is based on; any when absent.
    pub expected_version: Option<i64>,
    /// New parameters: makes a new version, and sets the time of the last update.
    pub parameters: Option<Bytes>,
    /// What it should be doing from now on.
    pub desired_state: Option<DesiredState>,
    /// All pins as they are now. At most [`crate::MAX_PART_BYTES`].
    pub pins: Option<Bytes>,
    /// All constraints as they are from now on: makes a new version of theirs. At most
    /// [`crate::MAX_PART_BYTES`].
    pub constraints: Option<Bytes>,
    /// The version of the constraints that the change is based on; any when absent.
    pub expected_constraints_version: Option<i64>,
    /// Epoch of the hold under which this is written: `Stale` if the layout was taken since. Anybody may write when
    /// absent.
    pub held: Option<i64>,
    /// When.
    pub at: Timestamp,
}

/// Keeps layouts. See the promises in the crate's documentation.
#[async_trait]
pub trait LayoutStore: Requests {
    /// Creates a layout. `AlreadyExists` if the id is taken in the graph.
    async fn create_layout(
        &self,
        layout: NewLayout,
        remember: Option<Remember>,
    ) -> Result<Written<LayoutRow>>;

    /// The layout of that name.
    async fn get_layout(&self, project: &str, graph: &str, id: &str) -> Result<LayoutRow>;

    /// Layouts of a graph, or of all graphs of the project when `graph` is absent, by graph and id: those after
    /// the pair `after` (all when its parts are empty), at most `limit`.
    async fn list_layouts(
        &self,
        project: &str,
        graph: Option<&str>,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<LayoutRow>>;

    /// Layouts of all projects that should be running, by uid: those after `after` (all when nil), at most
    /// `limit`. How a process finds its work when it starts.
    async fn running_layouts(&self, after: Uuid, limit: u32) -> Result<Vec<LayoutRow>>;

    /// Changes a layout. `Stale` if an expected version, or an epoch, is given and not the layout's.
    async fn update_layout(
        &self,
        update: LayoutUpdate,
        remember: Option<Remember>,
    ) -> Result<Written<LayoutRow>>;

    /// Deletes a layout, and gives it as it was. `Stale` if `expected_version` is given and not the layout's.
    async fn delete_layout(
        &self,
        project: &str,
        graph: &str,
        id: &str,
        expected_version: Option<i64>,
    ) -> Result<LayoutRow>;

    /// Deletes all layouts of a graph, and says how many.
    async fn delete_layouts_of(&self, graph_uid: Uuid) -> Result<u64>;
}
