//! Which processor the next tick runs on, and what happens when a device is lost.

use super::{Phase, Simulation};
use crate::cpu::solver::Outcome;
use crate::cuda::Cuda;
use crate::device::Wanted;
use crate::scene::{Change, Scene};
use crate::{Device, DeviceError, Devices, Model, Point, Processor};

/// Ticks until a device that was lost or not found is tried again; each time in vain, twice as many.
const FIRST_PAUSE: u32 = 256;
const LONGEST_PAUSE: u32 = 1 << 16;
/// Ticks that a layout runs on the processor whose nodes lay too unevenly for the device.
const UNEVEN_PAUSE: u32 = 64;

/// The devices of a simulation, and what each has not been told yet.
#[derive(Debug)]
pub(super) struct Processors {
    choice: Device,
    /// Its devices, and what they were opened for.
    cuda: Option<(Wanted, Cuda)>,
    /// Why there is none though one was chosen.
    error: Option<DeviceError>,
    /// Ticks until a device is asked again.
    pause: u32,
    /// How long the next pause after a loss will be.
    next_pause: u32,
    /// What has happened since the last tick on the processor, and on the device.
    unseen_by_cpu: Change,
    unseen_by_device: Change,
    ran_on: Processor,
}

impl Default for Processors {
    fn default() -> Self {
        Self {
            choice: Device::Cpu,
            cuda: None,
            error: None,
            pause: 0,
            next_pause: FIRST_PAUSE,
            unseen_by_cpu: Change::Nothing,
            unseen_by_device: Change::Graph,
            ran_on: Processor::Cpu,
        }
    }
}

impl Simulation {
    /// Chooses where the next ticks run; by default on the processor. A device is looked for in the first tick that it
    /// could do. Whatever is chosen, small graphs, graphs with constraints, [models](crate::Model) other than ForceAtlas2,
    /// and layouts that no mesh divides are the processor's.
    ///
    /// Several devices share one layout, and come to the same bits as one.
    ///
    /// Where there is no device, and when one is lost, the tick is done by the processor from where the nodes were, so are the
    /// next ones, and the device is tried again later: [`TickReport::processor`](crate::TickReport) says
    /// where a tick ran, and [`device_error`](Self::device_error) why not elsewhere.
    pub fn set_device(&mut self, device: Device) {
        let before = &self.processors;
        self.processors = Processors {
            choice: device,
            unseen_by_cpu: before.unseen_by_cpu,
            ran_on: before.ran_on,
            ..Processors::default()
        };
    }

    /// What was chosen by [`set_device`](Self::set_device).
    pub fn device(&self) -> Device {
        self.processors.choice
    }

    /// Whether the next tick is one that devices have kernels for: the forces of one model, with every node on the mesh.
    pub(super) fn suits_devices(&self) -> bool {
        let is_shaping = self.phase == Phase::Shaping && self.constraints.is_empty();
        is_shaping && self.params.model == Model::ForceAtlas2 && !self.is_heavy
    }

    /// Why the device that was chosen is not in use: there is none, or it was lost and is not back yet.
    /// `None` where nothing is wrong, also where the layout is too small for a device.
    pub fn device_error(&self) -> Option<&DeviceError> {
        self.processors.error.as_ref()
    }
}

impl Processors {
    /// Remembers what has happened since the last tick.
    pub(super) fn note(&mut self, change: Change) {
        self.unseen_by_cpu = self.unseen_by_cpu.max(change);
        self.unseen_by_device = self.unseen_by_device.max(change);
    }

    /// What the last tick ran on.
    pub(super) fn ran_on(&self) -> Processor {
        self.ran_on
    }

    /// A sketch is the processor's.
    pub(super) fn sketch(&mut self) {
        self.ran_on = Processor::Cpu;
        self.rest();
    }

    /// Gives back what a device holds of a layout that it does not step for now.
    fn rest(&mut self) {
        if let Some(Err(error)) = self.cuda.as_mut().map(|(_, cuda)| cuda.rest()) {
            self.lose(error);
        }
    }

    /// What the processor has not seen yet, and will now: this tick is its.
    pub(super) fn take_unseen(&mut self) -> Change {
        self.ran_on = Processor::Cpu;
        self.unseen_by_device = self.unseen_by_device.max(Change::Nodes);
        std::mem::take(&mut self.unseen_by_cpu)
    }

    /// Does one tick on a device, if one is chosen, there, and good for this layout; `may` says whether the
    /// caller has nothing else against it.
    pub(super) fn advance(
        &mut self,
        may: bool,
        mut scene: Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Option<Outcome> {
        let had = matches!(self.cuda, Some((Wanted::All, _)));
        let (wanted, fewest) = self.choice.wanted(positions.len(), had)?;
        if !may || positions.len() < fewest {
            self.rest();
            return None;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.cuda.as_ref().is_some_and(|(other, _)| *other != wanted) {
            // Others are wanted now, who know nothing yet.
            self.cuda = None;
            self.unseen_by_device = Change::Graph;
        }
        scene.change = self.unseen_by_device;
        match self.try_advance(wanted, &scene, positions, velocities) {
            Ok(Some((outcome, devices))) => {
                self.error = None;
                self.next_pause = FIRST_PAUSE;
                self.unseen_by_device = Change::Nothing;
                self.unseen_by_cpu = self.unseen_by_cpu.max(Change::Nodes);
                self.ran_on = Processor::Cuda(devices);
                Some(outcome)
            }
            Ok(None) => {
                self.unseen_by_device = Change::Nothing;
                self.pause = UNEVEN_PAUSE;
                None
            }
            Err(error) => {
                self.lose(error);
                None
            }
        }
    }

    fn try_advance(
        &mut self,
        wanted: Wanted,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Result<Option<(Outcome, Devices)>, DeviceError> {
        let (_, cuda) = match &mut self.cuda {
            Some(cuda) => cuda,
            none => none.insert((wanted, Cuda::open(wanted)?)),
        };
        let outcome = cuda.advance(scene, positions, velocities)?;
        Ok(outcome.map(|outcome| (outcome, cuda.devices())))
    }

    /// Goes on without the devices, of which one is lost. Drops all that is left of them, so that another try begins
    /// anew: where all there are were chosen, with those that can still be opened.
    fn lose(&mut self, error: DeviceError) {
        self.cuda = None;
        self.unseen_by_device = Change::Graph;
        self.pause = if error.may_pass() { self.next_pause } else { u32::MAX };
        self.next_pause = (2 * self.next_pause).min(LONGEST_PAUSE);
        self.error = Some(error);
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.cuda.as_ref().map_or(0, |(_, cuda)| cuda.memory())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dim, Params, graphs};

    #[test]
    fn only_the_forces_of_force_atlas_are_a_devices() {
        let graph = graphs::preferential(5_000, 3, 1);
        let mut layout = Simulation::new(Dim::Two, Params::default(), 1).unwrap();
        layout.sync(&graph.nodes, &graph.edges).unwrap();
        assert!(layout.suits_devices());
        for model in [Model::FruchtermanReingold, Model::D3] {
            layout.set_params(Params { model, ..Params::default() }).unwrap();
            assert!(!layout.suits_devices(), "{model:?}");
            assert_eq!(layout.tick().processor, Processor::Cpu);
        }
        layout.set_params(Params::default()).unwrap();
        assert!(layout.suits_devices());
    }
}
