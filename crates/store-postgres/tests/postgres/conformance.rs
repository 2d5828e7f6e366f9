//! Does PostgreSQL keep every promise of a store?

weft_store::conformance!(areas crate::world::on_one_database);
