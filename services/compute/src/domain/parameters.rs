//! What the forces of a layout are: defaults, updates by mask, and what the kernels make of them.

use prost_types::FieldMask;
use weft_kernels::{Model, Params};
use weft_proto::weft::compute::v1::{LayoutModel, LayoutParameters};

use crate::Error;

/// Hands all fields to a macro, so that none is forgotten in one place.
macro_rules! for_each_field {
    ($visit:ident) => {
        $visit!(repulsion, attraction, gravity, strong_gravity, lin_log, theta, max_speed, refine, model)
    };
}

/// The parameters after an update, as a client sees its request: with a mask the fields that it
/// names are written, and those of them that are not given get their defaults again; without one,
/// the fields that are given are written.
pub(crate) fn updated(
    mut current: LayoutParameters,
    new: &LayoutParameters,
    mask: Option<&FieldMask>,
) -> Result<LayoutParameters, Error> {
    let paths = mask.map_or(&[][..], |mask| &mask.paths);
    if paths.is_empty() {
        macro_rules! set {
            ($($field:ident),*) => {
                $(if new.$field.is_some() {
                    current.$field = new.$field;
                })*
            };
        }
        for_each_field!(set);
    }
    for path in paths {
        macro_rules! replace {
            ($($field:ident),*) => {
                match path.as_str() {
                    "*" | "parameters" => current = new.clone(),
                    $(concat!("parameters.", stringify!($field)) => current.$field = new.$field,)*
                    other => return Err(Error::bad_field(
                        "update_mask",
                        format!("\"{}\" cannot be changed; only parameters can", excerpt(other)),
                    )),
                }
            };
        }
        for_each_field!(replace);
    }
    Ok(current)
}

/// The first letters of a text that a client sent, for a message.
fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

/// The parameters as a client sees them: fields that were not given have their defaults.
pub(crate) fn shown(stored: &LayoutParameters) -> LayoutParameters {
    let defaults = Params::default();
    let number = |given: Option<f64>, default: f32| {
        // Through text, so that 0.05 is shown and not 0.05000000074505806.
        Some(given.unwrap_or_else(|| default.to_string().parse().expect("a number reads as it is written")))
    };
    LayoutParameters {
        repulsion: number(stored.repulsion, defaults.repulsion),
        attraction: number(stored.attraction, defaults.attraction),
        gravity: number(stored.gravity, defaults.gravity),
        strong_gravity: Some(stored.strong_gravity.unwrap_or(defaults.strong_gravity)),
        lin_log: Some(stored.lin_log.unwrap_or(defaults.lin_log)),
        theta: number(stored.theta, defaults.theta),
        max_speed: number(stored.max_speed, defaults.max_speed),
        refine: Some(stored.refine.unwrap_or(defaults.refine)),
        model: Some(
            match model(stored) {
                Model::ForceAtlas2 => LayoutModel::ForceAtlas2,
                Model::FruchtermanReingold => LayoutModel::FruchtermanReingold,
                Model::D3 => LayoutModel::D3,
            }
            .into(),
        ),
    }
}

/// The model that was chosen, or the default: also where it was stored by a version that knows more of them.
fn model(stored: &LayoutParameters) -> Model {
    match stored.model() {
        LayoutModel::Unspecified => Params::default().model,
        LayoutModel::ForceAtlas2 => Model::ForceAtlas2,
        LayoutModel::FruchtermanReingold => Model::FruchtermanReingold,
        LayoutModel::D3 => Model::D3,
    }
}

/// The parameters as the kernels take them. The contract's ranges were checked; where the kernels'
/// are narrower, the nearest value is taken.
pub(crate) fn kernel(stored: &LayoutParameters) -> Params {
    let defaults = Params::default();
    let number = |given: Option<f64>, default: f32| given.map_or(default, |value| value as f32);
    Params {
        model: model(stored),
        // No repulsion at all would leave the kernels without a length to measure by.
        repulsion: number(stored.repulsion, defaults.repulsion).max(1e-3),
        attraction: number(stored.attraction, defaults.attraction),
        gravity: number(stored.gravity, defaults.gravity),
        strong_gravity: stored.strong_gravity.unwrap_or(defaults.strong_gravity),
        lin_log: stored.lin_log.unwrap_or(defaults.lin_log),
        theta: number(stored.theta, defaults.theta),
        max_speed: number(stored.max_speed, defaults.max_speed),
        refine: stored.refine.unwrap_or(defaults.refine),
        ..defaults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn a_mask_says_what_is_written() {
        let current =
            LayoutParameters { gravity: Some(2.0), lin_log: Some(true), ..LayoutParameters::default() };
        let new = LayoutParameters { gravity: Some(3.0), theta: Some(1.0), ..LayoutParameters::default() };

        let all_that_is_set = updated(current, &new, None).unwrap();
        assert_eq!(
            (all_that_is_set.gravity, all_that_is_set.theta, all_that_is_set.lin_log),
            (Some(3.0), Some(1.0), Some(true))
        );
        let named = updated(current, &new, Some(&mask(&["parameters.theta", "parameters.lin_log"]))).unwrap();
        assert_eq!((named.gravity, named.theta, named.lin_log), (Some(2.0), Some(1.0), None));
        assert_eq!(updated(current, &new, Some(&mask(&["*"]))).unwrap(), new);
        assert_eq!(updated(current, &new, Some(&mask(&["parameters"]))).unwrap(), new);
        for path in ["seed", "parameters.mass", "name", ""] {
            let error = updated(current, &new, Some(&mask(&[path]))).unwrap_err();
            assert!(matches!(error, Error::BadField { field, .. } if field == "update_mask"), "{path}");
        }
    }

    /// The default of a field as the contract tells people: "0.05 by default".
    fn stated(field: &str) -> String {
        let contract = include_str!("../../../../proto/weft/compute/v1/layout.proto");
        let message = &contract[contract.find("message LayoutParameters {").unwrap()..];
        let before = &message[..message.find(&format!(" {field} = ")).unwrap()];
        let before = before.replace("\n  //", "");
        let before = &before[..before.rfind(" by default").unwrap()];
        before.rsplit(' ').next().unwrap().to_lowercase()
    }

    /// A value as the contract words it.
    trait Worded {
        fn words(self) -> String;
    }

    impl Worded for f64 {
        fn words(self) -> String {
            self.to_string()
        }
    }

    impl Worded for bool {
        fn words(self) -> String {
            self.to_string()
        }
    }

    /// A model.
    impl Worded for i32 {
        fn words(self) -> String {
            let name = LayoutModel::try_from(self).unwrap().as_str_name();
            name.strip_prefix("LAYOUT_MODEL_").unwrap().to_lowercase()
        }
    }

    #[test]
    fn every_model_of_the_contract_is_one_of_the_kernels_and_is_shown_as_it_was_given() {
        let given = |model: LayoutModel| LayoutParameters {
            model: Some(model.into()),
            ..LayoutParameters::default()
        };
        for (model, of_kernels) in [
            (LayoutModel::ForceAtlas2, Model::ForceAtlas2),
            (LayoutModel::FruchtermanReingold, Model::FruchtermanReingold),
            (LayoutModel::D3, Model::D3),
        ] {
            assert_eq!(kernel(&given(model)).model, of_kernels);
            assert_eq!(shown(&given(model)).model(), model);
        }
        assert_eq!(kernel(&given(LayoutModel::Unspecified)).model, Model::ForceAtlas2);
        assert_eq!(shown(&given(LayoutModel::Unspecified)).model(), LayoutModel::ForceAtlas2);
        assert_eq!(
            kernel(&LayoutParameters { model: Some(99), ..given(LayoutModel::D3) }).model,
            Model::ForceAtlas2
        );
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let shown = shown(&LayoutParameters::default());
        macro_rules! compare {
            ($($field:ident),*) => {
                $(assert_eq!(
                    shown.$field.unwrap().words(),
                    stated(stringify!($field)),
                    stringify!($field)
                );)*
            };
        }
        for_each_field!(compare);
    }

    #[test]
    fn whatever_the_contract_allows_the_kernels_take() {
        let smallest = LayoutParameters {
            repulsion: Some(0.0),
            attraction: Some(0.0),
            gravity: Some(0.0),
            theta: Some(0.3),
            max_speed: Some(0.0001),
            ..LayoutParameters::default()
        };
        let largest = LayoutParameters {
            repulsion: Some(1000.0),
            attraction: Some(100.0),
            gravity: Some(100.0),
            theta: Some(1.5),
            max_speed: Some(1.0),
            ..LayoutParameters::default()
        };
        for stored in [&smallest, &largest, &LayoutParameters::default()] {
            assert_eq!(kernel(stored).validate(), Ok(()));
        }
    }
}
