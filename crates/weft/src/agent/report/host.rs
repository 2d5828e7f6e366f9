//! What the system says of this host.

use sysinfo::{Components, Disks, MemoryRefreshKind, Networks, System};

use super::Reading;

/// Disks, networks and sensors that are told of at most.
const MOST: usize = 64;

/// The host, as it was read last: usage is between two readings.
pub(super) struct Host {
    system: System,
    disks: Option<Disks>,
    networks: Option<Networks>,
    components: Option<Components>,
}

impl Host {
    /// # Errors
    /// This system says nothing.
    pub(super) fn new() -> Result<Self, sysinfo::Error> {
        let mut system = System::new()?;
        system.refresh_cpu_usage();
        let (disks, networks) =
            (Disks::new_with_refreshed_list().ok(), Networks::new_with_refreshed_list().ok());
        Ok(Self { system, disks, networks, components: Components::new_with_refreshed_list().ok() })
    }

    /// Everything, now.
    pub(super) fn read(&mut self) -> Vec<Reading> {
        let mut out = Vec::with_capacity(64);
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::everything());
        for (number, cpu) in self.system.cpus().iter().enumerate() {
            // Four digits: what is finer is noise, and costs bytes.
            let usage = (f64::from(cpu.usage()) * 100.0).round() / 10_000.0;
            out.push(gauge("host_cpu_usage_ratio", vec![("cpu", number.to_string())], usage));
        }
        let memory = [
            ("host_memory_total_bytes", self.system.total_memory()),
            ("host_memory_available_bytes", self.system.available_memory()),
            ("host_swap_total_bytes", self.system.total_swap()),
            ("host_swap_used_bytes", self.system.used_swap()),
        ];
        out.extend(memory.map(|(metric, bytes)| gauge(metric, Vec::new(), bytes as f64)));
        if let Ok(load) = System::load_average() {
            let loads = [("host_load1", load.one), ("host_load5", load.five), ("host_load15", load.fifteen)];
            out.extend(loads.map(|(metric, load)| gauge(metric, Vec::new(), (load * 100.0).round() / 100.0)));
        }
        if let Ok(seconds) = System::uptime() {
            out.push(counter("host_uptime_seconds", Vec::new(), seconds));
        }
        self.read_devices(&mut out);
        out
    }

    fn read_devices(&mut self, out: &mut Vec<Reading>) {
        if let Some(disks) = &mut self.disks {
            disks.refresh(true);
        }
        let mut seen = Vec::new();
        for disk in self.disks.iter().flat_map(|disks| disks.iter()).take(MOST) {
            let mount = vec![("mount", shortened(&disk.mount_point().to_string_lossy()))];
            // A file system that is mounted twice at one place is told of once.
            if seen.contains(&mount) {
                continue;
            }
            seen.push(mount.clone());
            out.push(gauge("host_disk_total_bytes", mount.clone(), disk.total_space() as f64));
            out.push(gauge("host_disk_available_bytes", mount.clone(), disk.available_space() as f64));
            let usage = disk.usage();
            out.push(counter("host_disk_read_bytes_total", mount.clone(), usage.total_read_bytes));
            out.push(counter("host_disk_written_bytes_total", mount, usage.total_written_bytes));
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
        }
        let mut networks: Vec<_> = self.networks.iter().flat_map(|networks| networks.iter()).collect();
        networks.sort_by(|one, other| one.0.cmp(other.0));
        for (name, data) in networks.into_iter().take(MOST) {
            let interface = vec![("interface", shortened(&name.to_string_lossy()))];
            let counts = [
                ("host_network_received_bytes_total", data.total_received()),
                ("host_network_sent_bytes_total", data.total_transmitted()),
                ("host_network_receive_errors_total", data.total_errors_on_received()),
                ("host_network_send_errors_total", data.total_errors_on_transmitted()),
            ];
            out.extend(counts.map(|(metric, count)| counter(metric, interface.clone(), count)));
        }
        if let Some(components) = &mut self.components {
            components.refresh(true);
        }
        let mut seen = Vec::new();
        for component in self.components.iter().flat_map(|components| components.iter()).take(MOST) {
            let sensor = shortened(component.label());
            let Some(celsius) = component.temperature().filter(|celsius| celsius.is_finite()) else {
                continue;
            };
            if seen.contains(&sensor) {
                continue;
            }
            seen.push(sensor.clone());
            let celsius = (f64::from(celsius) * 10.0).round() / 10.0;
            out.push(gauge("host_temperature_celsius", vec![("sensor", sensor)], celsius));
        }
    }
}

fn gauge(metric: &'static str, labels: Vec<(&'static str, String)>, value: f64) -> Reading {
    Reading { metric, is_counter: false, labels, value }
}

fn counter(metric: &'static str, labels: Vec<(&'static str, String)>, count: u64) -> Reading {
    Reading { metric, is_counter: true, labels, value: count as f64 }
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_host_has_a_processor_and_memory_and_each_series_once() {
        let readings = Host::new().unwrap().read();
        let value =
            |metric| readings.iter().find(|reading| reading.metric == metric).map(|reading| reading.value);
        assert!(value("host_memory_total_bytes").is_some_and(|bytes| bytes > 1e6));
        assert!(value("host_cpu_usage_ratio").is_some_and(|ratio| (0.0..=1.0).contains(&ratio)));
        let names: HashSet<String> =
            readings.iter().map(|reading| format!("{}{:?}", reading.metric, reading.labels)).collect();
        assert_eq!(names.len(), readings.len());
    }
}
