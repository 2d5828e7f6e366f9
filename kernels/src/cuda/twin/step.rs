//! Springs, gravity and the step of one node: twin of `springs.cu` and `step.cu`, in double precision.

use crate::cpu::gravity::Gravity;
use crate::scene::Scene;
use crate::{Point, WORLD_LIMIT, random};

/// What a step is taken from, beside the scene.
pub(in crate::cuda) struct Before<'a> {
    pub(in crate::cuda) positions: &'a [Point],
    pub(in crate::cuda) velocities: &'a [Point],
    /// What a movement is measured against.
    pub(in crate::cuda) extent: f32,
    pub(in crate::cuda) softening: f32,
}

/// Where the free node at slot `node` comes to that `field` pushes, and which way it went by itself; `same` says
/// that it has to leave the place of another one, too.
pub(in crate::cuda) fn step(
    scene: &Scene<'_>,
    before: &Before<'_>,
    node: usize,
    field: [f32; 4],
    same: bool,
) -> ([f64; 3], [f64; 3]) {
    let params = scene.params;
    let here = before.positions[node].map(f64::from);
    let [attraction, repulsion] = [params.attraction, params.repulsion].map(f64::from);
    let mass = f64::from(scene.masses[node]);
    let (pull, stiffness) = springs(scene, before.positions, node);

    let radius = norm(here);
    let further = radius.max(1.0);
    let law = Gravity::new(params, scene.total_mass);
    let (from, strength) = law.containment();
    let (from, strength) = (f64::from(from), f64::from(strength));
    let gravity = f64::from(params.gravity) / if params.strong_gravity { 1.0 } else { further };
    let inward = mass * (gravity + strength * (radius - from).max(0.0) / further);
    let held = if radius > from { strength } else { 0.0 };
    let curvature =
        2.0 * attraction * stiffness + 2.0 * repulsion * mass * f64::from(field[3]) + mass * (gravity + held);
    let rate = f64::from(params.step) / curvature;

    let mut way = [0, 1, 2].map(|axis| {
        let force = attraction * pull[axis] + repulsion * mass * f64::from(field[axis]) - inward * here[axis];
        f64::from(before.velocities[node][axis]) * (1.0 - f64::from(params.damping)) + force * rate
    });
    let homeward = (radius - f64::from(law.outermost())).max(0.0);
    let heat = f64::from(scene.heat.max(scene.warmth[node]));
    let reach = f64::from(params.max_speed) * (f64::from(before.extent) * heat).max(homeward);
    let length = norm(way);
    if length > reach {
        way = way.map(|c| c * reach / length);
    }
    let offset = if same { random::in_ball(scene.dim, scene.seed, scene.ids[node]) } else { [0.0; 3] };
    let limit = f64::from(WORLD_LIMIT);
    let to = [0, 1, 2].map(|axis| (here[axis] + way[axis]).clamp(-limit, limit));
    let parted = [0, 1, 2].map(|axis| {
        to[axis] + f64::from(offset[axis]) * f64::from(before.softening).max(to[axis].abs() * 1e-5)
    });
    (parted, [0, 1, 2].map(|axis| to[axis] - here[axis]))
}

/// The pull of the edges, and how stiff they are.
fn springs(scene: &Scene<'_>, positions: &[Point], node: usize) -> ([f64; 3], f64) {
    let (mut pull, mut stiffness) = ([0.0; 3], 0.0);
    for (at, other) in scene.adjacency.range(node).zip(scene.adjacency.neighbours(node)) {
        let apart = [0, 1, 2]
            .map(|axis| f64::from(positions[*other as usize][axis]) - f64::from(positions[node][axis]));
        let length = norm(apart);
        let law = if scene.params.lin_log && length >= 1e-3 { length.ln_1p() / length } else { 1.0 };
        let strength = law * f64::from(scene.adjacency.weights().at(at));
        for axis in 0..3 {
            pull[axis] += strength * apart[axis];
        }
        stiffness += strength;
    }
    (pull, stiffness)
}

fn norm(vector: [f64; 3]) -> f64 {
    vector.iter().map(|c| c * c).sum::<f64>().sqrt()
}
