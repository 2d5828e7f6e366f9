//! The first ticks of a graph that nobody has placed yet.

use super::{Phase, SKETCHED, Simulation};
use crate::scene::{Change, Scene};
use crate::sketch::{Progress, Sketch};
use crate::{Point, TickReport};

impl Simulation {
    /// Does a tick of a sketch, where one is under way or should begin.
    pub(super) fn sketch(&mut self) -> Option<TickReport> {
        if std::mem::take(&mut self.untouched) && self.may_be_sketched() {
            self.sketch = Some(Box::default());
            self.phase = Phase::Sketching;
        }
        let sketch = self.sketch.as_deref_mut()?;
        let before = self.positions.clone();
        let scene = scene!(self, Change::Nothing);
        match sketch.advance(&scene, &mut self.positions) {
            Progress::UnderWay => {}
            Progress::Complete => {
                self.end_sketch();
                self.heat = SKETCHED;
                self.shape();
            }
            Progress::Nothing => {
                self.end_sketch();
                return None;
            }
        }
        let limit = crate::WORLD_LIMIT;
        self.positions.iter_mut().for_each(|place| *place = place.map(|c| c.clamp(-limit, limit)));
        self.processors.sketch();
        self.tick += 1;
        self.fresh.fill(false);
        let (mean, max) = movement(&before, &self.positions);
        let extent = self.bounds().side().max(self.params.rest_length());
        Some(self.report(mean, max, extent))
    }

    /// Only where nothing has a place that somebody gave it, or has to keep to.
    fn may_be_sketched(&self) -> bool {
        Sketch::suits(self.ids.len()) && self.constraints.is_empty() && !self.fixed.contains(&true)
    }

    /// Goes on with the forces from where the nodes are.
    pub(super) fn end_sketch(&mut self) {
        if self.sketch.take().is_some() {
            self.phase = Phase::Shaping;
        }
    }
}

/// Mean and longest distance from where nodes were to where they are.
fn movement(before: &[Point], after: &[Point]) -> (f32, f32) {
    let (mut sum, mut longest) = (0.0_f64, 0.0_f32);
    for (before, after) in before.iter().zip(after) {
        let distance = before.iter().zip(after).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        sum += f64::from(distance);
        longest = longest.max(distance);
    }
    ((sum / before.len().max(1) as f64) as f32, longest)
}
