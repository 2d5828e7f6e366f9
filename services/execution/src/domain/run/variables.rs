//! What expressions of a step can name.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Is, Run, Step};
use crate::{
    domain::{expression::Variables, secret},
    kinds::Shape,
};

/// A step, seen by its expressions.
pub(super) struct Seen<'a> {
    pub(super) run: &'a Run,
    pub(super) step: &'a Step,
}

impl Seen<'_> {
    /// The element and the number of the nearest body around a step.
    fn around(&self) -> Option<(Arc<Json>, usize)> {
        let mut scope = self.step.scope;
        loop {
            let opened = &self.run.scopes[scope];
            let (container, number) = opened.container?;
            let container = self.run.steps.get(&container)?;
            let shape = self.run.planned(container).shape;
            if matches!(shape, Shape::Each { .. } | Shape::Loop { .. }) {
                return Some((Arc::clone(&opened.input), number));
            }
            scope = container.scope;
        }
    }
}

impl Variables for Seen<'_> {
    fn variable(&self, name: &str) -> Option<Arc<Json>> {
        // Of a loop that asks whether to go on: what the last round gave, and how many there were.
        let is_loop = matches!(self.run.planned(self.step).shape, Shape::Loop { .. });
        let rounds = self.step.body.as_ref().filter(|_| is_loop);
        match name {
            "input" => {
                let last = rounds.and_then(|body| body.inputs.last());
                Some(Arc::clone(last.unwrap_or(&self.step.input)))
            }
            "index" => match rounds {
                Some(body) => Some(Arc::new(Json::from(body.opened))),
                None if is_loop => Some(Arc::new(Json::from(0))),
                None => self.around().map(|(_, number)| Arc::new(Json::from(number))),
            },
            "item" => self.around().map(|(item, _)| item),
            "run" => Some(Arc::clone(&self.run.start.about)),
            _ => None,
        }
    }

    fn secret(&self, name: &str) -> String {
        secret::reference(name)
    }

    fn step(&self, key: &str) -> Option<Arc<Json>> {
        let mut scope = self.step.scope;
        loop {
            let opened = &self.run.scopes[scope];
            if let Some(place) = self.run.plan.scopes[opened.plan].places.get(key) {
                return match opened.nodes.get(*place as usize)?.is {
                    Is::Done(step) => self.run.steps.get(&step)?.output.clone(),
                    _ => None,
                };
            }
            scope = self.run.steps.get(&opened.container?.0)?.scope;
        }
    }
}
