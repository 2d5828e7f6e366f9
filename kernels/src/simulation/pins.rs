//! Hands on single nodes: pin, drag, release.

use super::{Simulation, WARM};
use crate::{Error, Point, check_position};

impl Simulation {
    /// Fixes a node: at `position`, or with `None` where it is. It still pushes and pulls
    /// others. Wakes the layout.
    ///
    /// # Errors
    /// [`Error::UnknownNode`]; [`Error::Position`] for a coordinate that is not finite or lies
    /// outside the world. Nothing has changed then.
    pub fn pin(&mut self, id: u32, position: Option<Point>) -> Result<(), Error> {
        let slot = self.slot(id)?;
        if let Some(position) = position {
            check_position(id, position)?;
            self.put(slot, position);
        }
        self.pinned[slot] = true;
        self.touch(slot);
        Ok(())
    }

    /// Lets a pinned node go (unless it is being dragged). Wakes the layout.
    ///
    /// # Errors
    /// [`Error::UnknownNode`].
    pub fn unpin(&mut self, id: u32) -> Result<(), Error> {
        let slot = self.slot(id)?;
        self.pinned[slot] = false;
        self.touch(slot);
        Ok(())
    }

    /// Takes a node in hand and moves it to `position`; it stays there until the next drag or
    /// [`release`](Self::release). Wakes the layout.
    ///
    /// # Errors
    /// As [`pin`](Self::pin).
    pub fn drag(&mut self, id: u32, position: Point) -> Result<(), Error> {
        let slot = self.slot(id)?;
        check_position(id, position)?;
        self.put(slot, position);
        self.held[slot] = true;
        self.touch(slot);
        Ok(())
    }

    /// Lets a dragged node go. One that is also pinned stays pinned, where it was dropped.
    /// Wakes the layout.
    ///
    /// # Errors
    /// [`Error::UnknownNode`].
    pub fn release(&mut self, id: u32) -> Result<(), Error> {
        let slot = self.slot(id)?;
        self.held[slot] = false;
        self.touch(slot);
        Ok(())
    }

    /// Whether a node is pinned.
    ///
    /// # Errors
    /// [`Error::UnknownNode`].
    pub fn is_pinned(&self, id: u32) -> Result<bool, Error> {
        Ok(self.pinned[self.slot(id)?])
    }

    fn slot(&self, id: u32) -> Result<usize, Error> {
        self.ids.binary_search(&id).map_err(|_| Error::UnknownNode { id })
    }

    fn put(&mut self, slot: usize, position: Point) {
        self.positions[slot] = self.dim.flatten(position);
        self.velocities[slot] = [0.0; 3];
        self.fresh[slot] = false;
        self.untouched = false;
    }

    fn touch(&mut self, slot: usize) {
        self.fixed[slot] = self.pinned[slot] || self.held[slot];
        self.wake(WARM);
    }
}
