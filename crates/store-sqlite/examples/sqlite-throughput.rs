//! How fast is this store on this machine? `cargo run --release -p weft-store-sqlite --example sqlite-throughput`

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir_in(".")?;
    let url = format!("sqlite:{}", folder.path().join("weft.db").display());
    let stores = weft_store_sqlite::open(&url).await?;
    let report = weft_store::conformance::load::report(&stores).await;
    stores.database.close().await;
    #[expect(clippy::print_stdout, reason = "the report is what it is for")]
    {
        print!("{report}");
    }
    Ok(())
}
