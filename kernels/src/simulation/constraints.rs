//! What the layout has to keep to.

use super::{Simulation, WARM};
use crate::{Constraint, Error};

impl Simulation {
    /// Replaces the constraints. A change wakes the layout; the same ones do not. They hold for nodes
    /// that come later, too.
    ///
    /// # Errors
    /// [`Error::Constraint`] names the first one that no layout can keep to; nothing has changed then.
    pub fn set_constraints(&mut self, constraints: Vec<Constraint>) -> Result<(), Error> {
        for (index, constraint) in constraints.iter().enumerate() {
            if let Some(field) = constraint.fault(self.dim) {
                return Err(Error::Constraint { index, field });
            }
        }
        if constraints != self.constraints {
            self.constraints = constraints;
            self.solver.constrain(&self.constraints, self.dim, &self.ids);
            self.wake(WARM);
        }
        Ok(())
    }

    /// The constraints in force.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }
}
