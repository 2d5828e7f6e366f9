//! The weights of many edges, in as little memory as they need: most graphs have few different ones.

/// Weights, in the order of the edges that they are of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Weights {
    /// All are 1.
    #[default]
    Ones,
    /// So few different ones that a byte says which.
    Few { values: Box<[f32; 256]>, which: Vec<u8> },
    /// Each on its own.
    Any(Vec<f32>),
}

impl Weights {
    /// Keeps `weights`, no bit of which changes.
    pub(crate) fn of(mut weights: Vec<f32>) -> Self {
        let Some(values) = different(&weights) else {
            weights.shrink_to_fit();
            return Self::Any(weights);
        };
        if values.iter().all(|value| *value == 1.0_f32.to_bits()) {
            return Self::Ones;
        }
        let which = |weight: &f32| values.partition_point(|value| *value < weight.to_bits()) as u8;
        let which = weights.iter().map(which).collect();
        let mut table = Box::new([0.0; 256]);
        for (to, value) in table.iter_mut().zip(values) {
            *to = f32::from_bits(value);
        }
        Self::Few { values: table, which }
    }

    /// Becomes so many weights of these values; which, is for the caller to say.
    pub(crate) fn few(&mut self, values: &[f32; 256], length: usize) -> &mut [u8] {
        if !matches!(self, Self::Few { .. }) {
            *self = Self::Few { values: Box::new(*values), which: Vec::new() };
        }
        let Self::Few { values: own, which } = self else { unreachable!("it was made so") };
        own.copy_from_slice(values);
        which.resize(length, 0);
        which
    }

    /// Becomes so many weights, for the caller to fill.
    pub(crate) fn any(&mut self, length: usize) -> &mut [f32] {
        if !matches!(self, Self::Any(_)) {
            *self = Self::Any(Vec::new());
        }
        let Self::Any(weights) = self else { unreachable!("it was made so") };
        weights.resize(length, 0.0);
        weights
    }

    /// Weight of the edge at `at`.
    pub(crate) fn at(&self, at: usize) -> f32 {
        match self {
            Self::Ones => 1.0,
            Self::Few { values, which } => values[which[at] as usize],
            Self::Any(weights) => weights[at],
        }
    }

    /// Every weight as a number, or none where all are 1.
    pub(crate) fn unpacked(&self) -> Vec<f32> {
        match self {
            Self::Ones => Vec::new(),
            Self::Few { values, which } => which.iter().map(|at| values[*at as usize]).collect(),
            Self::Any(weights) => weights.clone(),
        }
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Ones => 0,
            Self::Few { values, which } => size_of_val(values.as_slice()) + which.capacity(),
            Self::Any(weights) => weights.capacity() * size_of::<f32>(),
        }
    }
}

/// The bits of all different ones, ascending, unless a byte could not say which is meant.
fn different(weights: &[f32]) -> Option<Vec<u32>> {
    let mut values = Vec::new();
    let mut last = None;
    for weight in weights {
        let bits = weight.to_bits();
        if last == Some(bits) {
            continue;
        }
        last = Some(bits);
        if let Err(place) = values.binary_search(&bits) {
            if values.len() == 256 {
                return None;
            }
            values.insert(place, bits);
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(weights: &[f32]) -> Weights {
        let kept = Weights::of(weights.to_vec());
        for (at, weight) in weights.iter().enumerate() {
            assert_eq!(kept.at(at).to_bits(), weight.to_bits());
        }
        kept
    }

    #[test]
    fn every_weight_is_what_it_was() {
        assert_eq!(kept(&[1.0; 5]), Weights::Ones);
        assert_eq!(kept(&[]), Weights::Ones);
        let few: Vec<f32> = (0..4_000_u16).map(|at| 0.1 * f32::from(at % 256)).collect();
        assert!(matches!(kept(&few), Weights::Few { .. }));
        assert_eq!(kept(&few).unpacked(), few);
        assert_eq!(kept(&few).memory(), 4_000 + 1_024);
        let any: Vec<f32> = (0..257_u16).map(f32::from).collect();
        assert_eq!(kept(&any), Weights::Any(any));
    }
}
