//! How fast is this store on this server? Give it the URL of an empty database:
//! `cargo run --release -p weft-store-postgres --example postgres-throughput -- postgres://…`

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the only argument is the URL of an empty database")?;
    let stores = weft_store_postgres::open(&url).await?;
    let report = weft_store::conformance::load::report(&stores).await;
    stores.database.close().await;
    #[expect(clippy::print_stdout, reason = "the report is what it is for")]
    {
        print!("{report}");
    }
    Ok(())
}
