//! Compiles every `.proto` under `weft/` and what it imports: messages, clients, servers,
//! validation, and the descriptor set. Refuses a method without a complete policy.

#[path = "build/comments.rs"]
mod comments;
#[path = "build/lazy.rs"]
mod lazy;
#[path = "build/policy.rs"]
mod policy;
#[path = "build/validation.rs"]
mod validation;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost_reflect::{DescriptorPool, prost_types::FileDescriptorSet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]
fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut files = Vec::new();
    println!("cargo:rerun-if-changed=build");
    for folder in ["weft", "vendor/google/rpc", "vendor/grpc"] {
        println!("cargo:rerun-if-changed={folder}");
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();

    // The longer folder first: a vendored file is known by the name that others import it by.
    let mut compiler = protox::Compiler::new([root.join("vendor"), root.clone()])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    // Encoded by the compiler itself: decoding to prost types and back would drop the options.
    let descriptors = comments::only(&compiler.encode_file_descriptor_set())?;
    fs::write(out.join("descriptors.bin"), &descriptors)?;
    fs::write(out.join("bare.bin"), comments::none(&descriptors)?)?;

    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    policy::check(&pool)?;
    generate_services(compiler.file_descriptor_set())?;
    fs::write(out.join("validation.rs"), validation::generate(&pool)?)?;
    Ok(())
}

/// Adds every `.proto` below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

/// Messages, clients and servers. `bytes` fields are shared buffers: frames are never copied.
fn generate_services(mut descriptors: FileDescriptorSet) -> Result<()> {
    let lazy = lazy::rename(&mut descriptors);
    lazy.into_iter()
        .fold(tonic_prost_build::configure(), |builder, (name, rust)| builder.extern_path(name, rust))
        .bytes(".")
        .codec_path("crate::Codec")
        .include_file("modules.rs")
        .compile_well_known_types(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
