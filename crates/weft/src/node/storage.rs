//! Opening what a node keeps things in, by URL.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use weft_bus::Bus;
use weft_store::{Stores, objects::Objects};

use crate::config::Config;

/// Everything that is kept.
pub(crate) struct Storage {
    pub(crate) stores: Stores,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) objects: Objects,
}

/// Opens all of it.
pub(crate) async fn open(config: &Config) -> Result<Storage> {
    let stores = stores(config.storage.database.reveal(), &config.data).await.context("storage.database")?;
    let bus = match config.storage.bus.reveal() {
        "" => "memory:",
        url => url,
    };
    let bus = weft_bus::open(bus).await.context("storage.bus")?.bus;
    let objects = match config.storage.objects.reveal() {
        "" => url_of(&config.data.join("objects"))?,
        url => url.to_owned(),
    };
    let objects = Objects::open(&objects, None).context("storage.objects")?;
    Ok(Storage { stores, bus, objects })
}

async fn stores(url: &str, data: &Path) -> Result<Stores> {
    Ok(match url.split_once(':') {
        None if url.is_empty() => {
            weft_store_sqlite::open(&format!("sqlite:{}", data.join("weft.db").display())).await?
        }
        Some(("sqlite", _)) => weft_store_sqlite::open(url).await?,
        Some(("postgres" | "postgresql", _)) => weft_store_postgres::open(url).await?,
        _ => bail!("must begin with sqlite: or postgres:"),
    })
}

fn url_of(folder: &Path) -> Result<String> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    Ok(format!("file://{}", folder.display()))
}
