//! What the rules read: our services and messages, their options and comments.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, FileDescriptor,
    Kind, MessageDescriptor, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value,
};

/// A method's HTTP mapping: its verb, its path and the field that is the body.
pub(crate) struct Route {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// The contracts of one set of packages.
pub(crate) struct Contracts {
    pool: DescriptorPool,
    prefix: &'static str,
    /// File and path of everything that has a comment before it.
    commented: HashSet<(String, Vec<i32>)>,
    /// Resource messages by their full name.
    pub(crate) resources: BTreeMap<String, DynamicMessage>,
    /// Full names of the messages that a client can send, nested ones included.
    pub(crate) sent: BTreeSet<String>,
}

impl Contracts {
    /// Reads the packages that begin with `prefix`.
    pub(crate) fn of(pool: &DescriptorPool, prefix: &'static str) -> Self {
        let commented = pool.files().flat_map(|file| comments_of(&file)).collect();
        let mut this =
            Self { pool: pool.clone(), prefix, commented, resources: BTreeMap::new(), sent: BTreeSet::new() };
        this.resources = this
            .messages()
            .filter_map(|message| {
                let resource = this.extension(&message.options(), "google.api.resource")?;
                Some((message.full_name().to_owned(), resource.as_message()?.clone()))
            })
            .collect();
        let mut open: Vec<_> = this.methods().map(|method| method.input()).collect();
        while let Some(message) = open.pop() {
            if this.is_ours(message.full_name()) && this.sent.insert(message.full_name().to_owned()) {
                let settable = message.fields().filter(|field| !this.behaves(field, "OUTPUT_ONLY"));
                open.extend(settable.filter_map(|field| field.kind().as_message().cloned()));
            }
        }
        this
    }

    fn is_ours(&self, full_name: &str) -> bool {
        full_name.starts_with(self.prefix)
    }

    /// Our files.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileDescriptor> + '_ {
        self.pool.files().filter(|file| self.is_ours(file.package_name()))
    }

    /// Our services.
    pub(crate) fn services(&self) -> impl Iterator<Item = ServiceDescriptor> + '_ {
        self.pool.services().filter(|service| self.is_ours(service.full_name()))
    }

    /// The methods of our services.
    pub(crate) fn methods(&self) -> impl Iterator<Item = MethodDescriptor> + '_ {
        self.services().flat_map(|service| service.methods().collect::<Vec<_>>())
    }

    /// Our messages, without the entries of maps.
    pub(crate) fn messages(&self) -> impl Iterator<Item = MessageDescriptor> + '_ {
        self.pool
            .all_messages()
            .filter(|message| self.is_ours(message.full_name()) && !message.is_map_entry())
    }

    /// Our enumerations.
    pub(crate) fn enums(&self) -> impl Iterator<Item = EnumDescriptor> + '_ {
        self.pool.all_enums().filter(|item| self.is_ours(item.full_name()))
    }

    /// Whether something has a comment before it.
    pub(crate) fn has_comment(&self, file: &FileDescriptor, path: &[i32]) -> bool {
        self.commented.contains(&(file.name().to_owned(), path.to_vec()))
    }

    /// The value of an option that is an extension, where it is set.
    pub(crate) fn extension(&self, options: &DynamicMessage, name: &str) -> Option<Value> {
        let extension: ExtensionDescriptor = self.pool.get_extension_by_name(name)?;
        options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
    }

    /// How a method is reached over HTTP.
    pub(crate) fn route(&self, method: &MethodDescriptor) -> Option<Route> {
        let value = self.extension(&method.options(), "google.api.http")?;
        let rule = value.as_message()?;
        let body = text(rule, "body");
        let verb = ["get", "put", "post", "delete", "patch"]
            .into_iter()
            .find(|verb| rule.has_field_by_name(verb))?;
        Some(Route { verb: verb.to_owned(), path: text(rule, verb), body })
    }

    /// A method's policy.
    pub(crate) fn policy(&self, method: &MethodDescriptor) -> Option<DynamicMessage> {
        self.extension(&method.options(), "weft.options.v1.policy")?.as_message().cloned()
    }

    /// The rules of `buf.validate` for a field.
    pub(crate) fn rules(&self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        self.extension(&field.options(), "buf.validate.field")?.as_message().cloned()
    }

    /// Whether a field has one of the `google.api.field_behavior` values.
    pub(crate) fn behaves(&self, field: &FieldDescriptor, behavior: &str) -> bool {
        let Some(value) = self.extension(&field.options(), "google.api.field_behavior") else { return false };
        let Some(behaviors) = self.pool.get_enum_by_name("google.api.FieldBehavior") else { return false };
        let wanted = behaviors.get_value_by_name(behavior).map(|value| value.number());
        value.as_list().is_some_and(|list| list.iter().any(|item| item.as_enum_number() == wanted))
    }
}

fn comments_of(file: &FileDescriptor) -> Vec<(String, Vec<i32>)> {
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    info.location
        .into_iter()
        .filter(|location| !location.leading_comments().trim().is_empty())
        .map(|location| (file.name().to_owned(), location.path))
        .collect()
}

/// A text field of an option, empty if it is not set.
pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    message
        .get_field_by_name(field)
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// The name of the value of an enum field of an option.
pub(crate) fn choice(message: &DynamicMessage, field: &str) -> String {
    let Some(descriptor) = message.descriptor().get_field_by_name(field) else { return String::new() };
    let number = message.get_field(&descriptor).as_enum_number().unwrap_or_default();
    match descriptor.kind() {
        Kind::Enum(values) => {
            values.get_value(number).map(|value| value.name().to_owned()).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// `IDEMPOTENCY_UNKNOWN`, `NO_SIDE_EFFECTS` or `IDEMPOTENT`.
pub(crate) fn idempotency(method: &MethodDescriptor) -> String {
    choice(&method.options(), "idempotency_level")
}

/// The field that a dotted path leads to.
pub(crate) fn field_at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let mut parts = path.split('.');
    let mut field = message.get_field_by_name(parts.next()?)?;
    for part in parts {
        field = field.kind().as_message()?.get_field_by_name(part)?;
    }
    Some(field)
}

/// Full name of the message that a field holds; empty for other kinds.
pub(crate) fn message_name(field: &FieldDescriptor) -> String {
    field.kind().as_message().map(|message| message.full_name().to_owned()).unwrap_or_default()
}

/// `apiKey`, `ApiKey` → `api_key`.
pub(crate) fn snake(camel: &str) -> String {
    let mut result = String::new();
    for (index, character) in camel.char_indices() {
        if character.is_uppercase() && index > 0 {
            result.push('_');
        }
        result.extend(character.to_lowercase());
    }
    result
}

/// `apiKeys` → `ApiKeys`.
pub(crate) fn pascal(camel: &str) -> String {
    let mut characters = camel.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
