//! Which methods a foreign service has: from descriptors that somebody else wrote, within bounds.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
};

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;
use weft_proto::{
    Hedging, Idempotency, Method, Methods,
    weft::options::v1::{Access, Exposure, MethodPolicy, RateClass},
};

use super::UpstreamOptions;

/// Most bytes of descriptors.
pub(super) const MOST_BYTES: usize = 16 << 20;
/// Most methods of one upstream.
const MOST_METHODS: usize = 10_000;
/// Services that every server has for itself, and that nobody means.
pub(super) const OF_EVERY_SERVER: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// What is wrong with the contracts of a foreign service.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    /// It would fill the memory.
    #[error("its descriptors have more than {MOST_BYTES} bytes")]
    TooLarge,
    /// It would fill the tables.
    #[error("it has {0} methods; at most {MOST_METHODS} are served")]
    TooManyMethods(usize),
    /// Not descriptors, or not whole.
    #[error("its descriptors cannot be read: {0}")]
    Unreadable(String),
    /// A file that others need is missing.
    #[error("its descriptors lack {0}; were they made without imports?")]
    Missing(String),
    /// It would change what JSON means.
    #[error("{0} declares types of google.protobuf; only google/protobuf/….proto may")]
    WellKnown(String),
    /// The configuration asks for what it does not have.
    #[error("it has no service {service}; it has {known}")]
    NoSuchService {
        /// What was asked for.
        service: String,
        /// What there is.
        known: String,
    },
    /// There is nothing to serve.
    #[error("it has no services")]
    NoServices,
    /// A policy in the contract that cannot be read.
    #[error("{0}")]
    Policy(String),
    /// A name that is taken.
    #[error("{what} {name} is also one of {owner}, and not the same")]
    Taken {
        /// Service, message or enum.
        what: &'static str,
        /// Its full name.
        name: String,
        /// Whose it is.
        owner: String,
    },
}

/// The files of one upstream, each as it was sent.
pub(super) type Files = BTreeMap<String, Bytes>;

/// A file descriptor, as far as its name and imports.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    dependency: Vec<String>,
}

/// A descriptor set whose files stay bytes: decoding and encoding them would lose their options.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// Contracts that can be read.
#[derive(Debug)]
pub(super) struct Contracts {
    pub(super) pool: DescriptorPool,
    /// Full names of the services that are served.
    pub(super) services: BTreeSet<String>,
}

/// The files in a `google.protobuf.FileDescriptorSet`.
pub(super) fn files_of_set(set: Bytes) -> Result<Files, Mistake> {
    if set.len() > MOST_BYTES {
        return Err(Mistake::TooLarge);
    }
    let mut files = Files::new();
    for file in Set::decode(set).map_err(unreadable)?.file {
        add(&mut files, file)?;
    }
    Ok(files)
}

/// Adds one encoded file; one that is there already stays.
pub(super) fn add(files: &mut Files, file: Bytes) -> Result<(), Mistake> {
    let head = Head::decode(file.clone()).map_err(unreadable)?;
    files.entry(head.name).or_insert(file);
    if files.values().map(Bytes::len).sum::<usize>() > MOST_BYTES {
        return Err(Mistake::TooLarge);
    }
    Ok(())
}

/// Files that others import and that are not there; those that weft itself has are not missing.
pub(super) fn missing(files: &Files) -> Result<BTreeSet<String>, Mistake> {
    let mut missing = BTreeSet::new();
    for file in files.values() {
        let head = Head::decode(file.clone()).map_err(unreadable)?;
        let unknown =
            |name: &String| !files.contains_key(name) && weft_proto::pool().get_file_by_name(name).is_none();
        missing.extend(head.dependency.into_iter().filter(unknown));
    }
    Ok(missing)
}

fn unreadable(error: impl std::fmt::Display) -> Mistake {
    Mistake::Unreadable(error.to_string())
}

impl Contracts {
    /// Reads files. Of their services those in `wanted` are served, or all if it is empty.
    pub(super) fn read(mut files: Files, wanted: &[String]) -> Result<Self, Mistake> {
        for (name, file) in &files {
            let package = Head::decode(file.clone()).map_err(unreadable)?.package;
            let well_known = package == "google.protobuf" || package.starts_with("google.protobuf.");
            if well_known && !name.starts_with("google/protobuf/") {
                return Err(Mistake::WellKnown(name.clone()));
            }
        }
        complete(&mut files)?;
        let set = Set { file: files.into_values().collect() };
        let pool = decode(&set)?;
        let known: BTreeSet<String> = pool
            .services()
            .map(|service| service.full_name().to_owned())
            .filter(|name| !OF_EVERY_SERVER.contains(&name.as_str()))
            .collect();
        let services: BTreeSet<String> =
            if wanted.is_empty() { known.clone() } else { wanted.iter().cloned().collect() };
        if let Some(service) = services.iter().find(|name| !known.contains(*name)) {
            let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Mistake::NoSuchService { service: service.clone(), known });
        }
        if services.is_empty() {
            return Err(Mistake::NoServices);
        }
        let contracts = Self { pool, services };
        let methods = contracts.served().map(|service| service.methods().len()).sum();
        if methods > MOST_METHODS {
            return Err(Mistake::TooManyMethods(methods));
        }
        Ok(contracts)
    }

    /// The services that are served.
    pub(super) fn served(&self) -> impl Iterator<Item = prost_reflect::ServiceDescriptor> {
        self.pool.services().filter(|service| self.services.contains(service.full_name()))
    }

    /// Their methods, with the policy of the configuration. What the contract itself says of policy is the
    /// word of a stranger, and is not believed.
    pub(super) fn methods(&self, options: &UpstreamOptions) -> Result<Methods, Mistake> {
        let all = Methods::from_pool(&self.pool).map_err(Mistake::Policy)?;
        let served = all
            .iter()
            .filter(|method| self.services.contains(method.descriptor.parent_service().full_name()));
        Ok(served.map(|method| governed(method, options)).collect())
    }
}

/// The library that reads descriptors has been seen to panic over what no compiler writes; here it is somebody
/// else who wrote them.
fn decode(set: &Set) -> Result<DescriptorPool, Mistake> {
    let set = set.encode_to_vec();
    let decoded = panic::catch_unwind(|| DescriptorPool::decode(set.as_slice()).map_err(unreadable));
    decoded.unwrap_or_else(|_| Err(unreadable("they are no descriptors that a compiler wrote")))
}

fn governed(method: &Method, options: &UpstreamOptions) -> Method {
    let rate_class = match (method.is_streaming(), method.idempotency) {
        (true, _) => RateClass::Stream,
        (false, Idempotency::NoSideEffects) => RateClass::Read,
        (false, _) => RateClass::Write,
    };
    let policy = MethodPolicy {
        access: Access::from(options.access).into(),
        rate_class: rate_class.into(),
        exposure: Exposure::Edge.into(),
        mcp_tool: options.mcp && !method.is_streaming(),
        ..MethodPolicy::default()
    };
    let delay = Some(options.hedging_delay).filter(|delay| !delay.is_zero() && method.can_hedge());
    let hedging = method.hedging.clone().or_else(|| delay.map(Hedging::after));
    Method { policy: Some(policy), resource_path: Vec::new(), hedging, ..method.clone() }
}

/// Puts in what weft itself has: files that were left out, and the well-known types, whose JSON is fixed.
fn complete(files: &mut Files) -> Result<(), Mistake> {
    let ours = weft_proto::pool();
    let well_known: Vec<String> =
        files.keys().filter(|name| name.starts_with("google/protobuf/")).cloned().collect();
    for name in well_known {
        if let Some(file) = ours.get_file_by_name(&name) {
            files.insert(name, file.encode_to_vec().into());
        }
    }
    // Each round puts in at least one of ours, of which there are not many.
    loop {
        let mut left_out = BTreeSet::new();
        for file in files.values() {
            let head = Head::decode(file.clone()).map_err(unreadable)?;
            left_out.extend(head.dependency.into_iter().filter(|name| !files.contains_key(name)));
        }
        if left_out.is_empty() {
            return Ok(());
        }
        for name in left_out {
            let file = ours.get_file_by_name(&name).ok_or_else(|| Mistake::Missing(name.clone()))?;
            files.insert(name, file.encode_to_vec().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
        ServiceDescriptorProto,
    };

    use super::*;

    /// A small set with a service, a message that has itself as a field, and an import.
    fn small() -> Vec<u8> {
        let message = DescriptorProto {
            name: Some("M".to_owned()),
            field: vec![FieldDescriptorProto {
                name: Some("m".to_owned()),
                number: Some(1),
                label: Some(1),
                r#type: Some(11),
                type_name: Some(".a.M".to_owned()),
                ..FieldDescriptorProto::default()
            }],
            ..DescriptorProto::default()
        };
        let method = MethodDescriptorProto {
            name: Some("Call".to_owned()),
            input_type: Some(".a.M".to_owned()),
            output_type: Some(".google.protobuf.Empty".to_owned()),
            ..MethodDescriptorProto::default()
        };
        let service =
            ServiceDescriptorProto { name: Some("S".to_owned()), method: vec![method], ..Default::default() };
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some("a".to_owned()),
            dependency: vec!["google/protobuf/empty.proto".to_owned()],
            message_type: vec![message],
            service: vec![service],
            syntax: Some("proto3".to_owned()),
            ..FileDescriptorProto::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    fn read(set: &[u8]) -> Result<Contracts, Mistake> {
        let contracts = Contracts::read(files_of_set(Bytes::copy_from_slice(set))?, &[])?;
        contracts.methods(&UpstreamOptions::default())?;
        Ok(contracts)
    }

    #[test]
    fn what_weft_has_itself_need_not_be_in_the_set() {
        let contracts = read(&small()).expect("all else is there");
        assert_eq!(Vec::from_iter(&contracts.services), ["a.S"]);
        let methods = contracts.methods(&UpstreamOptions::default()).expect("no policy");
        let method = methods.get("/a.S/Call").expect("it is served");
        assert_eq!(method.policy.as_ref().map(MethodPolicy::access), Some(Access::Admin));
    }

    #[test]
    fn whatever_is_cut_off_or_altered_there_is_an_answer() {
        let good = small();
        let mut refused = 0;
        for end in 0..good.len() {
            refused += usize::from(read(&good[..end]).is_err());
        }
        assert!(refused > good.len() / 2, "{refused} of {}", good.len());
        for at in 0..good.len() {
            for bits in [1, 2, 8, 0x40, 0x80, 0xff] {
                let mut altered = good.clone();
                altered[at] ^= bits;
                // Some of these are good contracts, of other names.
                let _ = read(&altered);
            }
        }
        let ours = weft_proto::DESCRIPTORS;
        for part in 1..64 {
            assert!(read(&ours[..ours.len() * part / 64]).is_err());
        }
    }
}
