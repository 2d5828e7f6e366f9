//! The database as a whole.

use super::{graph, new_graph, refused};
use crate::{StoreError, Stores};

/// A sign of life, and a name without secrets.
pub async fn a_database_answers_and_describes_itself(stores: Stores) {
    stores.database.ping().await.unwrap();
    let name = stores.database.describe();
    assert!(name.starts_with("sqlite:") || name.starts_with("postgres://"), "{name}");
    assert!(format!("{stores:?}").contains(&name));
}

/// After closing, every call fails with `Unavailable`, and none hangs or panics.
pub async fn a_closed_database_says_so(stores: Stores) {
    graph(&stores, "g", 1).await;
    stores.database.close().await;
    stores.database.close().await;
    refused!(stores.database.ping().await, StoreError::Unavailable(_));
    refused!(stores.graph.get_graph("p", "g").await, StoreError::Unavailable(_));
    refused!(stores.graph.create_graph(new_graph("p", "h", 2), None).await, StoreError::Unavailable(_));
}
