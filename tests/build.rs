//! Compiles the contract of the test service.

use std::{env, error::Error, fs, path::PathBuf};

#[expect(clippy::disallowed_methods, reason = "cargo talks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=contract");
    println!("cargo:rerun-if-changed=../proto/weft/options");
    let proto = root.join("../proto");
    let mut compiler = protox::Compiler::new([root.join("contract"), proto.clone(), proto.join("vendor")])?;
    compiler.include_imports(true).open_file("weft/test/v1/echo_service.proto")?;
    fs::write(out.join("test_descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".weft.options.v1", "::weft_proto::weft::options::v1")
        .extern_path(".google.api", "::weft_proto::google::api")
        .extern_path(".google.rpc", "::weft_proto::google::rpc")
        .emit_rerun_if_changed(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
