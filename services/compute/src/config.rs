//! What an operator can set, with defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weft_kernels::Device;

use crate::{
    Error,
    domain::{graph_copy::Limits, processor},
};

/// Options of the compute service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Layouts that make a step at the same moment. The others wait their turn, step by step. More
    /// than cores gains nothing.
    pub max_running: usize,
    /// What layouts are computed on: `cpu`; `cuda:N`, that CUDA device from 4,096 nodes on; `cuda:0,1`, these devices together, which
    /// share each layout; `cuda:all`, all there are; `auto`, the first CUDA device for graphs from 20,000 nodes on and all of them from
    /// 1,000,000 on, where there is one. A device that is not there, or is lost, is tried again, and the CPU makes the steps meanwhile;
    /// with `cuda:all` and `auto` the devices that are left go on after that. The kernels have been tested on an emulator and on no
    /// device yet.
    pub device: String,
    /// Layouts kept in memory. When it is full, one at rest that nobody looks at makes room.
    pub max_loaded: usize,
    /// Of these, those of one project.
    pub max_loaded_per_project: usize,
    /// Memory that layouts may use together, by an estimate before each is brought in, in MiB. A graph of 250,000 nodes and
    /// 1,000,000 edges counts as about 270. 16 to 1,000,000.
    pub layout_memory_mib: u32,
    /// Layouts of one graph.
    pub max_layouts_per_graph: usize,
    /// Nodes of a graph that is laid out, or whose communities are kept up to date. A keyframe in three dimensions has 16 bytes for each, and
    /// clients take messages of up to 4 MiB unless they are told otherwise: more than 262,000 nodes
    /// need clients that are, or that ask for 16-bit columns.
    pub max_nodes: usize,
    /// Edges of a graph that is laid out, or whose communities are kept up to date.
    pub max_edges: usize,
    /// Pinned nodes of one layout. At most 65,536.
    pub max_pins: usize,
    /// Constraints of one layout. 0 to 1,000.
    pub max_constraints_per_layout: usize,
    /// Streams that watch one layout.
    pub max_viewers_per_layout: usize,
    /// Streams that watch any layout.
    pub max_viewers: usize,
    /// Steps that a layout makes in a second at most. 1 to 10,000.
    pub max_ticks_per_second: u32,
    /// Seconds between two savings of a layout that runs. It is also saved when it settles or stops,
    /// and when the process ends.
    pub save_every_seconds: u64,
    /// Seconds after which others may take the layouts of a process that gives no sign of life, where several share a
    /// PostgreSQL database. It gives one every third of that. 3 to 600.
    pub lease_seconds: u64,
    /// Seconds after which a layout at rest that nobody looks at leaves the memory.
    pub unload_after_seconds: u64,
    /// Analyses that are computed at the same moment. The others wait. Their threads are the same ones, and give
    /// way to layouts.
    pub max_running_analyses: usize,
    /// Threads that analyses are computed on; as many as there are cores when 0.
    pub analysis_threads: usize,
    /// Memory that analyses may use at once, by an estimate before each begins, in MiB. A graph of 1,000,000
    /// nodes and 3,000,000 edges needs about 500. 16 to 1,000,000.
    pub analysis_memory_mib: u32,
    /// Analyses of one project that wait or run.
    pub max_open_analyses_per_project: usize,
    /// Days after which an analysis that has ended is forgotten, its values too.
    pub keep_analyses_days: u64,
    /// Memory for values of analyses that were read lately, in MiB.
    pub analysis_cache_mib: u32,
    /// Communities that are kept up to date at the same moment: graphs, each once for every resolution that somebody
    /// watches. They may keep as much memory together as `analysis_memory_mib`, beside what analyses use.
    pub max_live_communities: usize,
    /// Of these, those of one project.
    pub max_live_communities_per_project: usize,
    /// Streams that watch communities.
    pub max_community_watchers: usize,
    /// Of these, those that watch graphs of one project.
    pub max_community_watchers_per_project: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_running: 4,
            device: "cpu".into(),
            max_loaded: 1_000,
            max_loaded_per_project: 250,
            layout_memory_mib: 4_096,
            max_layouts_per_graph: 20,
            max_nodes: 250_000,
            max_edges: 2_500_000,
            max_pins: 50_000,
            max_constraints_per_layout: 100,
            max_viewers_per_layout: 1_000,
            max_viewers: 10_000,
            max_ticks_per_second: 60,
            save_every_seconds: 30,
            lease_seconds: 10,
            unload_after_seconds: 60,
            max_running_analyses: 1,
            analysis_threads: 0,
            analysis_memory_mib: 2_048,
            max_open_analyses_per_project: 100,
            keep_analyses_days: 30,
            analysis_cache_mib: 128,
            max_live_communities: 16,
            max_live_communities_per_project: 4,
            max_community_watchers: 1_000,
            max_community_watchers_per_project: 250,
        }
    }
}

/// An option has a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compute.{option} must be {range}")]
pub struct BadOption {
    /// Name of the option.
    pub option: &'static str,
    /// What it may be.
    pub range: &'static str,
}

impl Options {
    /// Checks what types alone do not.
    ///
    /// # Errors
    /// Names the first option that cannot be used.
    pub fn validate(&self) -> Result<(), BadOption> {
        let checks = [
            ("max_running", self.max_running >= 1, "at least 1"),
            ("device", processor::parse(&self.device).is_some(), processor::FORMS),
            ("max_loaded", self.max_loaded >= 1, "at least 1"),
            ("max_loaded_per_project", self.max_loaded_per_project >= 1, "at least 1"),
            ("layout_memory_mib", (16..=1_000_000).contains(&self.layout_memory_mib), "16 to 1,000,000"),
            ("max_nodes", self.max_nodes <= 4_000_000, "at most 4,000,000"),
            ("max_pins", self.max_pins <= 65_536, "at most 65,536"),
            ("max_constraints_per_layout", self.max_constraints_per_layout <= 1_000, "at most 1,000"),
            ("max_ticks_per_second", (1..=10_000).contains(&self.max_ticks_per_second), "1 to 10,000"),
            ("max_running_analyses", (1..=1_000).contains(&self.max_running_analyses), "1 to 1,000"),
            ("analysis_threads", self.analysis_threads <= 1_024, "at most 1,024"),
            ("analysis_memory_mib", (16..=1_000_000).contains(&self.analysis_memory_mib), "16 to 1,000,000"),
            ("keep_analyses_days", (1..=36_500).contains(&self.keep_analyses_days), "1 to 36,500"),
            ("lease_seconds", (3..=600).contains(&self.lease_seconds), "3 to 600"),
            ("save_every_seconds", self.save_every_seconds >= 1, "at least 1"),
        ];
        match checks.iter().find(|check| !check.1) {
            Some(&(option, _, range)) => Err(BadOption { option, range }),
            None => Ok(()),
        }
    }

    /// Whether a graph of that size is followed here.
    ///
    /// # Errors
    /// It is too large.
    pub(crate) fn check_size(&self, graph: &str, nodes: usize, edges: usize) -> Result<(), Error> {
        for (count, limit, what) in [(nodes, self.max_nodes, "nodes"), (edges, self.max_edges, "edges")] {
            if count > limit {
                let (subject, limit) = (graph.to_owned(), limit as u64);
                return Err(Error::Limit { reason: "GRAPH_TOO_LARGE", subject, limit, what });
            }
        }
        Ok(())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { nodes: self.max_nodes, edges: self.max_edges }
    }

    pub(crate) fn device(&self) -> Device {
        processor::parse(&self.device).unwrap_or_default()
    }

    pub(crate) fn tick_interval(&self) -> Duration {
        Duration::from_secs(1) / self.max_ticks_per_second
    }

    pub(crate) fn save_every(&self) -> Duration {
        Duration::from_secs(self.save_every_seconds)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    pub(crate) fn keep_analyses(&self) -> Duration {
        Duration::from_hours(self.keep_analyses_days * 24)
    }

    pub(crate) fn unload_after(&self) -> Duration {
        Duration::from_secs(self.unload_after_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_nonsense_is_named() {
        assert_eq!(Options::default().validate(), Ok(()));
        let bad = Options { max_pins: 65_537, ..Options::default() };
        assert_eq!(bad.validate().unwrap_err().to_string(), "compute.max_pins must be at most 65,536");
        let bad = Options { device: "gpu".into(), ..Options::default() };
        assert_eq!(bad.validate().unwrap_err().option, "device");
        let several = Options { device: "cuda:0,1".into(), ..Options::default() };
        assert_eq!(several.validate(), Ok(()));
    }
}
