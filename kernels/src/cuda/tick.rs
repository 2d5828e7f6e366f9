//! One tick on one device or several, from positions to positions.

use rayon::prelude::*;

use super::divide::{Division, Share};
use super::machine::{self, Machine, Owned};
use super::memory::{self, Sizes};
use super::part::Part;
use super::shape::{self, Choice, Shape};
use super::words::{self, REPORT_BYTES, Report};
use crate::cpu::CHUNK;
use crate::cpu::integrate::Movement;
use crate::cpu::mesh;
use crate::cpu::solver::{Outcome, SOFTENING};
use crate::device::Wanted;
use crate::scene::{Change, Scene};
use crate::{DeviceError, Devices, Point};

/// A layout's copies on its devices. One tick leaves to the next what the devices know already: only what has
/// changed goes there, and only positions come back.
///
/// Each device has the whole graph and does its share of the work ([`Division`]). After a tick all have the same bits, so
/// it does not matter which is asked, nor who did what.
#[derive(Debug)]
pub(crate) struct Cuda {
    /// At least one, by number.
    pub(super) parts: Vec<Part>,
    pub(super) sizes: Sizes,
    pub(super) division: Division,
    /// Index of the mesh that the last tick would take for the next.
    wish: usize,
}

impl Cuda {
    /// Opens the devices that are wanted. Of all there are, those that can be opened.
    ///
    /// # Errors
    /// Any [`DeviceError`]; nothing is left behind then.
    pub(crate) fn open(wanted: Wanted) -> Result<Self, DeviceError> {
        let parts = match wanted {
            Wanted::These(devices) => open_these(devices)?,
            Wanted::All => open_all()?,
        };
        // From here on it waits for its devices before it gives them back.
        let mut cuda = Self { parts, sizes: Sizes::default(), division: Division::default(), wish: 0 };
        if cuda.parts.len() > 1 {
            let mut machines: Vec<&mut Machine> =
                cuda.parts.iter_mut().map(|part| &mut part.machine).collect();
            machine::link(&mut machines)?;
        }
        Ok(cuda)
    }

    /// The devices that it has.
    pub(crate) fn devices(&self) -> Devices {
        Devices::new(self.parts.iter().map(|part| part.machine.ordinal())).unwrap_or(Devices::FIRST)
    }

    /// Moves the nodes one step, or returns `None`, does nothing and [rests](Self::rest) where they lie so
    /// unevenly that the processor's tree is better. `scene.change` is what has happened since the last tick here. All
    /// columns are over the slots of `scene`, which has at least [`FEWEST`](shape::FEWEST) nodes.
    ///
    /// # Errors
    /// [`DeviceError::Failed`]: the columns are as they were, and this must not be used again.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Result<Option<Outcome>, DeviceError> {
        self.try_advance(scene, positions, velocities).map_err(|error| {
            // Who waits for another device fails with it: the one to blame still does.
            let blamed = self.parts.iter_mut().find_map(|part| part.machine.settle().err());
            blamed.unwrap_or(error)
        })
    }

    fn try_advance(
        &mut self,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Result<Option<Outcome>, DeviceError> {
        let change = if self.sizes.nodes as usize == positions.len() { scene.change } else { Change::Graph };
        let softening = SOFTENING * scene.params.rest_length();
        let knobs = words::knobs(scene, softening, mesh::LEAST_REACH * softening);
        self.sizes.nodes = positions.len() as u32;
        for part in &mut self.parts {
            part.begin(change, positions, &knobs)?;
        }
        let Some(index) = self.choose(scene)? else {
            self.rest()?;
            return Ok(None);
        };
        for part in &mut self.parts {
            self.sizes = part.follow(scene, change, velocities)?.unwrap_or(self.sizes);
        }
        let shape = Shape::new(scene.dim, index);
        self.divide(&shape)?;
        self.take_mesh(&shape, index)?;
        self.step(&shape, index)?;
        self.take_over(positions, velocities).map(Some)
    }

    /// Sorts the nodes into near cells that are fine enough; the index of their mesh. All devices do, and one says how
    /// many are where.
    fn choose(&mut self, scene: &Scene<'_>) -> Result<Option<usize>, DeviceError> {
        let nodes = scene.ids.len();
        let mut index = shape::begin(scene.dim, nodes, self.wish);
        loop {
            let shape = Shape::new(scene.dim, index);
            let is_shared = self.parts.len() > 1;
            for (device, part) in self.parts.iter_mut().enumerate() {
                part.count(self.sizes, (&shape, index), is_shared && device == 0)?;
            }
            let report = self.parts[0].report()?;
            match shape::choose(scene.dim, nodes, index, report.squares, report.finest) {
                Choice::Finer(finer) => index = finer,
                Choice::Take(wish) => {
                    self.wish = wish;
                    return Ok(Some(index));
                }
                Choice::Decline => {
                    self.wish = index;
                    return Ok(None);
                }
            }
        }
    }

    /// Says who does what of a mesh of this shape and the nodes that were counted.
    fn divide(&mut self, shape: &Shape) -> Result<(), DeviceError> {
        let (sizes, devices) = ((self.sizes.nodes, shape.points()), self.parts.len());
        if devices == 1 {
            self.division = Division::whole(sizes.0, sizes.1);
            return Ok(());
        }
        let (nodes, points) = self.parts[0].costs(self.sizes, shape)?;
        let best = Division::new(devices, sizes, &nodes, &points);
        if !self.division.is_good(&best, &nodes, &points) {
            self.division = best;
            // The sizes of launches follow from it.
            for part in &mut self.parts {
                part.machine.forget();
            }
        }
        Ok(())
    }

    /// Makes room for a mesh, and its tables if they are not there.
    fn take_mesh(&mut self, shape: &Shape, index: usize) -> Result<(), DeviceError> {
        let mut octant = None;
        for part in &mut self.parts {
            part.memory.take_mesh(&mut part.machine, shape)?;
            if !part.has_tables(shape, index) {
                let octant = octant.get_or_insert_with(|| memory::octant(shape));
                part.take_tables(shape, index, octant)?;
            }
        }
        Ok(())
    }

    /// Starts what follows after counting, on all devices.
    fn step(&mut self, shape: &Shape, index: usize) -> Result<(), DeviceError> {
        let (sizes, kind) = (self.sizes, (shape, index));
        let shares: Vec<Share> = (0..self.parts.len()).map(|device| self.division.share(device)).collect();
        if let [part] = &mut self.parts[..] {
            return part.advance(sizes, kind, &shares[0]);
        }
        let parts = &mut self.parts;
        for (part, share) in parts.iter_mut().zip(&shares) {
            part.spread(sizes, kind, share)?;
        }
        exchange(parts, &shares, Part::own_points)?;
        for (part, share) in parts.iter_mut().zip(&shares) {
            part.step(sizes, kind, share)?;
        }
        exchange(parts, &shares, Part::own_nodes)?;
        for part in parts {
            part.commit(sizes)?;
        }
        Ok(())
    }

    /// Waits for the first device; what it has become is what all have, and becomes ours.
    fn take_over(
        &mut self,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Result<Outcome, DeviceError> {
        let Part { machine, memory, .. } = &mut self.parts[0];
        let bytes = size_of_val(positions);
        let ordinal = machine.ordinal();
        let found = machine.read(&[(&memory.report, REPORT_BYTES), (&memory.positions, bytes)])?;
        let report = Report::from_bytes(&found[..REPORT_BYTES]);
        let moved: &[Point] = bytemuck::cast_slice(&found[REPORT_BYTES..]);
        if !moved.par_chunks(CHUNK).all(|moved| moved.as_flattened().iter().all(|c| c.is_finite())) {
            // Nothing of this tick is used: the processor makes it.
            let reason = "it gave a position that is not finite".into();
            return Err(DeviceError::Failed { ordinal, call: "a tick", reason });
        }
        if report.parted == 0 {
            take_over(moved, positions, velocities);
        } else {
            // How far nodes were moved apart is in their positions and must not become momentum.
            let wanted = [(&memory.positions, bytes), (&memory.velocities, bytes)];
            let (moved, ways) = machine.read(&wanted)?.split_at(bytes);
            positions.copy_from_slice(bytemuck::cast_slice(moved));
            velocities.copy_from_slice(bytemuck::cast_slice(ways));
        }
        let movement =
            Movement { sum: report.moved, max: report.longest, moment: 0.0, free: report.free as usize };
        Ok(Outcome { movement, extent: report.extent })
    }

    /// Gives back all memory of the devices, because the next ticks are not theirs. What they knew of the layout is
    /// gone and goes there again with the next tick here.
    ///
    /// # Errors
    /// As [`advance`](Self::advance).
    pub(crate) fn rest(&mut self) -> Result<(), DeviceError> {
        if self.sizes.nodes == 0 {
            return Ok(());
        }
        self.sizes = Sizes::default();
        for part in &mut self.parts {
            part.rest()?;
        }
        Ok(())
    }

    /// Bytes of the host that are pinned.
    pub(crate) fn memory(&self) -> usize {
        self.parts.iter().map(|part| part.machine.memory()).sum()
    }
}

impl Drop for Cuda {
    /// Before any of them goes: another one may still copy from its memory. Where one is lost this fails, and
    /// there is nothing left to do about it.
    fn drop(&mut self) {
        for part in &mut self.parts {
            let _ = part.machine.settle();
        }
    }
}

/// The devices that were named, if they can have a layout together.
fn open_these(devices: Devices) -> Result<Vec<Part>, DeviceError> {
    let parts = devices.ordinals().map(Part::open).collect::<Result<Vec<_>, _>>()?;
    let generation = |part: &Part| part.machine.generation;
    match parts.iter().find(|part| generation(part) != generation(&parts[0])) {
        None => Ok(parts),
        Some(other) => {
            let ((major, minor), first) = (generation(other), generation(&parts[0]));
            Err(DeviceError::Failed {
                ordinal: other.machine.ordinal(),
                call: "joining it with the others",
                reason: format!(
                    "its compute capability is {major}.{minor}, and that of the first one {}.{}",
                    first.0, first.1
                ),
            })
        }
    }
}

/// Every device of this host that can be opened and is of the generation of the first one: on others sums may have other
/// last bits, a node may fall into another cell, and the devices' orders of the nodes would differ.
fn open_all() -> Result<Vec<Part>, DeviceError> {
    let (mut parts, mut why) = (Vec::new(), None);
    for ordinal in 0..machine::count()?.min(Devices::MOST) {
        match Part::open(ordinal) {
            Ok(part) => parts.push(part),
            // What may pass is worth another try, whatever else is wrong for ever.
            Err(error) => {
                let counts = |why: &DeviceError| error.may_pass() && !why.may_pass();
                if why.as_ref().is_none_or(counts) {
                    why = Some(error);
                }
            }
        }
    }
    if parts.is_empty() {
        let none = || DeviceError::NoDevice { ordinal: 0, reason: "the driver knows none".into() };
        return Err(why.unwrap_or_else(none));
    }
    let generation = parts[0].machine.generation;
    parts.retain(|part: &Part| part.machine.generation == generation);
    Ok(parts)
}

/// What each device `owns` goes to all others.
fn exchange(
    parts: &mut [Part],
    shares: &[Share],
    owns: impl for<'a> Fn(&'a mut Part, &Share) -> (&'a mut Machine, Vec<Owned>),
) -> Result<(), DeviceError> {
    let mut machines: Vec<_> = parts.iter_mut().zip(shares).map(|(part, share)| owns(part, share)).collect();
    machine::exchange(&mut machines)
}

/// The device's positions become ours; how far each node came is its velocity, which so need not be copied.
fn take_over(moved: &[Point], positions: &mut [Point], velocities: &mut [Point]) {
    let columns =
        (moved.par_chunks(CHUNK), positions.par_chunks_mut(CHUNK), velocities.par_chunks_mut(CHUNK));
    columns.into_par_iter().for_each(|(moved, positions, velocities)| {
        for ((moved, position), velocity) in moved.iter().zip(positions).zip(velocities) {
            for axis in 0..3 {
                velocity[axis] = moved[axis] - position[axis];
            }
            *position = *moved;
        }
    });
}
