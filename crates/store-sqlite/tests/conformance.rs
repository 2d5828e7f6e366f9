//! Does SQLite keep every promise of a store?

use weft_store::Stores;

/// Runs a case on a fresh database in a folder of its own.
async fn on_a_fresh_database<F: Future<Output = ()>>(case: impl FnOnce(Stores) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("weft.db").display());
    let stores = weft_store_sqlite::open(&url).await.unwrap();
    case(stores.clone()).await;
    stores.database.close().await;
}

weft_store::conformance!(super::on_a_fresh_database);
