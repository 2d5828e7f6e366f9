//! Embeds the console's files, if it was built before: `console/dist` becomes a table of assets.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]
fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("console/dist");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Cargo would run this at every build while the folder is not there. Where it cannot be
    // made (a read-only checkout) that is all the harm.
    let _ = fs::create_dir_all(&root);
    println!("cargo:rerun-if-changed=console/dist");
    println!("cargo:rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    let mut assets: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|file| {
            let path = file.strip_prefix(&root)?.to_str().ok_or("a file name is not UTF-8")?;
            Ok((format!("/{}", path.replace('\\', "/")), file))
        })
        .collect::<Result<_>>()?;
    assets.sort();

    let mut code = String::from("/// Sorted by path.\nstatic ASSETS: &[Asset] = &[\n");
    for (number, (path, file)) in assets.iter().enumerate() {
        let bytes = fs::read(file)?;
        // A copy of our own: the console may be built anew while this crate is still compiled.
        let copy = out.join(format!("asset-{number}"));
        fs::write(&copy, &bytes)?;
        let gzip = compress(&bytes)?;
        let gzip = if gzip.len() * 10 < bytes.len() * 9 {
            let name = out.join(format!("asset-{number}.gz"));
            fs::write(&name, gzip)?;
            format!("Some(include_bytes!({:?}))", text(&name)?)
        } else {
            "None".to_owned()
        };
        writeln!(
            code,
            "    Asset {{ path: {path:?}, content_type: {:?}, etag: {:?}, bytes: include_bytes!({:?}), gzip: {gzip} }},",
            content_type(path),
            format!("\"{:016x}\"", digest(&bytes)),
            text(&copy)?,
        )?;
    }
    code.push_str("];\n");
    fs::write(out.join("assets.rs"), code)?;
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    Ok(path.to_str().ok_or("a file name is not UTF-8")?)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// FNV-1a, 64 bits: tells versions of a file apart, and nothing more is asked of an etag.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
