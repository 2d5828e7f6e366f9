//! The open ports of this host, from the kernel's tables (proc_pid_net(5)): those of the network that the agent is in.

use std::{
    cmp::Ordering,
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use weft_kit::{
    Clock,
    filter::{Filter, Found, Kind, Record, Schema},
    order::{SortKey, parse_order},
};
use weft_proto::weft::agent::v1::{HostRefusal, ListPortsRequest, ListPortsResponse, Port, PortProtocol};

use super::{list, proc, proc::Stat, refusal, users::Users};

/// Fields of a port.
static PORT: Schema = Schema {
    fields: &[
        ("protocol", Kind::Name),
        ("address", Kind::Text),
        ("port", Kind::Number),
        ("process_id", Kind::Number),
        ("process_name", Kind::Text),
        ("user", Kind::Text),
    ],
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Protocol,
    Address,
    Port,
    ProcessId,
    ProcessName,
    User,
}

/// A socket that somebody can send to.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    protocol: PortProtocol,
    address: IpAddr,
    port: u16,
    user: u32,
    /// What the kernel knows the socket by.
    inode: u64,
}

/// Answers a question.
pub(super) fn ports(request: &ListPortsRequest) -> Result<ListPortsResponse, HostRefusal> {
    let filter = Filter::parse(&request.filter, &PORT)
        .map_err(|error| refusal::invalid("filter", &error.to_string()))?;
    let order = order(&request.order_by).map_err(|problem| refusal::invalid("order_by", &problem))?;
    let mut found = read();
    found.retain(|port| filter.matches(&Shown(port)));
    found.sort_by(|one, other| {
        let whole = [Field::Port, Field::Protocol, Field::Address, Field::ProcessId];
        let rest = whole.iter().map(|field| compare(*field, one, other));
        rest.fold(list::compare(&order, compare, one, other), Ordering::then)
    });
    let match_count = i32::try_from(found.len()).unwrap_or(i32::MAX);
    let (ports, next_page_token) = list::page(found, &request.page_token, request.page_size)?;
    let read_time = Some(Clock::system().now().into());
    Ok(ListPortsResponse { ports, next_page_token, match_count, read_time })
}

fn read() -> Vec<Port> {
    let tables = [
        ("tcp", PortProtocol::Tcp),
        ("tcp6", PortProtocol::Tcp),
        ("udp", PortProtocol::Udp),
        ("udp6", PortProtocol::Udp),
    ];
    let mut open = Vec::new();
    for (file, protocol) in tables {
        // Where there is no IPv6 there is no such table.
        let table = fs::read_to_string(format!("/proc/self/net/{file}")).unwrap_or_default();
        open.extend(table.lines().skip(1).filter_map(|line| parse(line, protocol)));
    }
    let (users, owners) = (Users::read(), owners(&open));
    let port = |open: Open| {
        let owner = owners.get(&open.inode).copied().unwrap_or(0);
        Port {
            protocol: open.protocol.into(),
            address: open.address.to_string(),
            port: open.port.into(),
            process_id: owner,
            process_name: name(owner),
            user: users.name(open.user),
        }
    };
    open.into_iter().map(port).collect()
}

fn name(process: i64) -> String {
    if process == 0 {
        return String::new();
    }
    let name = Stat::read(process).map(|stat| proc::name(&stat.name, &proc::arguments(process)));
    name.unwrap_or_default().chars().take(255).collect()
}

/// A line of a table, if its socket listens: number, local address, remote address, state, queues, timer,
/// retransmissions, user, timeout, inode.
fn parse(line: &str, protocol: PortProtocol) -> Option<Open> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (local, remote, state) = (fields.get(1)?, fields.get(2)?, *fields.get(3)?);
    let listens = match protocol {
        PortProtocol::Tcp => state == "0A",
        // It is bound, and to nobody in particular.
        PortProtocol::Udp => state == "07" && remote.ends_with(":0000"),
        PortProtocol::Unspecified => false,
    };
    if !listens {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(Open {
        protocol,
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        user: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits, each as a number of this machine, of bytes in the network's order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)))
        }
        _ => None,
    }
}

/// Which process has a socket open, the lowest number of several. Of other users' processes only root may see it.
fn owners(open: &[Open]) -> HashMap<u64, i64> {
    let wanted: HashMap<String, u64> =
        open.iter().map(|open| (format!("socket:[{}]", open.inode), open.inode)).collect();
    let mut owners: HashMap<u64, i64> = HashMap::new();
    for process in proc::all().unwrap_or_default() {
        let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { continue };
        for file in files.flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            if let Some(inode) = target.to_str().and_then(|target| wanted.get(target)) {
                let owner = owners.entry(*inode).or_insert(process);
                *owner = process.min(*owner);
            }
        }
    }
    owners
}

fn order(text: &str) -> Result<Vec<SortKey<Field>>, String> {
    let fields = [
        ("protocol", Field::Protocol),
        ("address", Field::Address),
        ("port", Field::Port),
        ("process_id", Field::ProcessId),
        ("process_name", Field::ProcessName),
        ("user", Field::User),
    ];
    parse_order(text, &fields)
}

fn compare(field: Field, one: &Port, other: &Port) -> Ordering {
    match field {
        Field::Protocol => one.protocol.cmp(&other.protocol),
        Field::Address => one.address.cmp(&other.address),
        Field::Port => one.port.cmp(&other.port),
        Field::ProcessId => one.process_id.cmp(&other.process_id),
        Field::ProcessName => one.process_name.cmp(&other.process_name),
        Field::User => one.user.cmp(&other.user),
    }
}

/// A port that can be filtered.
struct Shown<'a>(&'a Port);

impl Record for Shown<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let port = self.0;
        match PORT.fields[field].0 {
            "protocol" => test(Found::Text(match port.protocol() {
                PortProtocol::Tcp => "tcp",
                PortProtocol::Udp => "udp",
                PortProtocol::Unspecified => "unspecified",
            })),
            "address" => test(Found::Text(&port.address)),
            "port" => test(Found::Number(f64::from(port.port))),
            "process_id" => test(Found::Number(port.process_id as f64)),
            "process_name" => test(Found::Text(&port.process_name)),
            _ => test(Found::Text(&port.user)),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        test(&self.0.process_name)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_what_linux_writes() {
        let listens =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 0";
        let open = parse(listens, PortProtocol::Tcp).expect("it listens");
        assert_eq!((open.address.to_string(), open.port), ("127.0.0.1".to_owned(), 8080));
        assert_eq!((open.user, open.inode), (1000, 4711));
        let talks = listens.replace(" 0A ", " 01 ");
        assert_eq!(parse(&talks, PortProtocol::Tcp), None);
        let six = "1: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 9 2";
        let open = parse(six, PortProtocol::Udp).expect("it is bound");
        assert_eq!((open.address.to_string(), open.port, open.inode), ("::1".to_owned(), 53, 9));
        let to_somebody = six.replace(":0000 07", ":0035 07");
        assert_eq!(parse(&to_somebody, PortProtocol::Udp), None);
        assert_eq!(parse("1: nothing", PortProtocol::Tcp), None);
    }

    #[test]
    fn ports_of_this_process_are_found_with_their_owner() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let own = i64::from(std::process::id());
        for (protocol, address) in [("tcp", tcp.local_addr()), ("udp", udp.local_addr())] {
            let port = address.expect("it is bound").port();
            let request = ListPortsRequest {
                filter: format!("protocol = {protocol} AND port = {port}"),
                page_size: 10,
                ..ListPortsRequest::default()
            };
            let found = ports(&request).expect("it is right").ports;
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].process_id, &*found[0].address), (own, "127.0.0.1"));
            assert!(!found[0].process_name.is_empty() && !found[0].user.is_empty());
        }
    }
}
