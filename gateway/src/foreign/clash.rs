//! Do the names of a foreign service mean something else already?

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, EnumDescriptor, Kind, MessageDescriptor};

use super::{
    Foreign,
    contracts::{Contracts, Mistake},
};
use crate::{
    GatewayError,
    rest::{Route, Router, Segment},
};

/// Where other versions of one file are common, and harmless: none of them is what a method is about.
const COMMON: [&str; 4] = ["google.", "grpc.", "buf.", "validate."];

/// First segments of paths that the gateway itself answers.
const KEPT: [&str; 10] =
    [".well-known", "assets", "docs", "healthz", "hooks", "mcp", "metrics", "openapi.json", "readyz", "ws"];

/// Refuses a service that weft or another upstream has, and a type that means something else there: clients
/// could not tell them apart, and in the OpenAPI document one would stand for both.
pub(super) fn check<'f>(
    contracts: &Contracts,
    ours: &DescriptorPool,
    others: impl Iterator<Item = &'f Foreign>,
) -> Result<(), Mistake> {
    let taken = |what, name: &str, owner: &str| Mistake::Taken {
        what,
        name: name.to_owned(),
        owner: owner.to_owned(),
    };
    for service in &contracts.services {
        if ours.get_service_by_name(service).is_some() {
            return Err(taken("service", service, "weft"));
        }
    }
    check_types(contracts, ours).map_err(|(what, name)| taken(what, &name, "weft"))?;
    for other in others {
        let prefix = |service: &&String| {
            other.methods.iter().any(|method| method.descriptor.parent_service().full_name() == **service)
        };
        if let Some(service) = contracts.services.iter().find(prefix) {
            return Err(taken("service", service, &other.name));
        }
        check_types(contracts, &other.pool).map_err(|(what, name)| taken(what, &name, &other.name))?;
    }
    Ok(())
}

fn check_types(contracts: &Contracts, other: &DescriptorPool) -> Result<(), (&'static str, String)> {
    let is_own = |name: &str| !COMMON.iter().any(|prefix| name.starts_with(prefix));
    for message in contracts.pool.all_messages().filter(|message| is_own(message.full_name())) {
        let there = other.get_message_by_name(message.full_name());
        if there.is_some_and(|there| !same_message(&message, &there)) {
            return Err(("message", message.full_name().to_owned()));
        }
    }
    for item in contracts.pool.all_enums().filter(|item| is_own(item.full_name())) {
        let there = other.get_enum_by_name(item.full_name());
        if there.is_some_and(|there| !same_enum(&item, &there)) {
            return Err(("enum", item.full_name().to_owned()));
        }
    }
    Ok(())
}

/// Whether two messages are the same to who reads and writes them. Types of fields are compared by name: each
/// of them is looked at by itself.
fn same_message(one: &MessageDescriptor, other: &MessageDescriptor) -> bool {
    let shape = |message: &MessageDescriptor| -> BTreeSet<_> {
        let field = |field: prost_reflect::FieldDescriptor| {
            let kind = match field.kind() {
                Kind::Message(message) => message.full_name().to_owned(),
                Kind::Enum(item) => item.full_name().to_owned(),
                scalar => format!("{scalar:?}"),
            };
            let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned());
            let is_list = field.is_list();
            (field.number(), field.name().to_owned(), field.json_name().to_owned(), kind, is_list, oneof)
        };
        message.fields().map(field).collect()
    };
    shape(one) == shape(other)
}

fn same_enum(one: &EnumDescriptor, other: &EnumDescriptor) -> bool {
    let shape = |item: &EnumDescriptor| -> BTreeSet<_> {
        item.values().map(|value| (value.number(), value.name().to_owned())).collect()
    };
    shape(one) == shape(other)
}

/// Refuses paths of foreign services that reach into what weft itself answers: a rule is a stranger's word,
/// and must not stand between a client and the mesh.
pub(crate) fn check_paths(router: &Router) -> Result<(), GatewayError> {
    let (foreign, own): (Vec<_>, Vec<_>) =
        router.routes().iter().partition(|route| route.entry.foreign.is_some());
    let ours: BTreeSet<_> = own.iter().filter_map(|route| beginning(route)).collect();
    for route in foreign {
        let problem = match beginning(route) {
            None => "its path must begin with a word".to_owned(),
            Some((first, _)) if KEPT.contains(&first) => format!("/{first} is the gateway's own"),
            Some((first, Some(second))) if ours.contains(&(first, Some(second))) => {
                format!("/{first}/{second} is where weft's own paths begin")
            }
            Some(_) => continue,
        };
        return Err(GatewayError::Rule { method: route.entry.path.to_string(), problem });
    }
    Ok(())
}

/// The first two segments, as far as they are words.
fn beginning(route: &Route) -> Option<(&str, Option<&str>)> {
    let word = |index: usize| match route.template.segments.get(index) {
        Some(Segment::Literal(text)) => Some(text.as_str()),
        _ => None,
    };
    Some((word(0)?, word(1)))
}
