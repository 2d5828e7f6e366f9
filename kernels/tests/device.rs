//! On a host without a CUDA driver: it is said what to do, and a layout that would like a device runs on the processor. On a
//! host with one, the device is used.

use weft_kernels::{Device, DeviceError, Devices, Dim, Edge, Params, Processor, Simulation};

/// Ticks within which a layout has been sketched, and lies so that a device could go on.
const TICKS: u32 = 400;

/// A ring with chords.
fn ring(nodes: u32) -> Simulation {
    let ids: Vec<u32> = (0..nodes).collect();
    let edges: Vec<Edge> = ids
        .iter()
        .flat_map(|node| [1, 37].map(|far| Edge { source: *node, target: (node + far) % nodes, weight: 1.0 }))
        .collect();
    let mut layout = Simulation::new(Dim::Two, Params::default(), 1).unwrap();
    layout.sync(&ids, &edges).unwrap();
    layout
}

/// Ticks until one could have run on a device, and says how many; `None` where a device did it, or all of them.
fn until_a_device_is_missing(layout: &mut Simulation) -> Option<(u32, DeviceError)> {
    for tick in 1..=TICKS {
        let processor = layout.tick().processor;
        if let Some(error) = layout.device_error() {
            assert_eq!(processor, Processor::Cpu, "{error}");
            return Some((tick, error.clone()));
        }
        if processor == Processor::Cuda(Devices::FIRST) {
            return None;
        }
    }
    panic!("no device was looked for in {TICKS} ticks");
}

/// Whether a layout without its device is the one that has none, some ticks further on.
fn is_that_of_the_processor(layout: &mut Simulation, nodes: u32, ticks: u32) -> bool {
    let mut plain = ring(nodes);
    for _ in 0..ticks {
        plain.tick();
    }
    for _ in 0..3 {
        plain.tick();
        layout.tick();
    }
    layout.positions() == plain.positions()
}

#[test]
fn without_the_device_that_was_chosen_the_processor_does_the_same_ticks() {
    let mut layout = ring(5_000);
    layout.set_device(Device::Cuda(Devices::FIRST));
    assert_eq!(layout.device(), Device::Cuda(Devices::FIRST));
    let Some((ticks, error)) = until_a_device_is_missing(&mut layout) else { return };
    if error == DeviceError::NoDriver {
        assert!(error.to_string().contains("install the driver"), "{error}");
    }
    assert!(is_that_of_the_processor(&mut layout, 5_000, ticks), "after {error}");
}

#[test]
fn automatic_choice_runs_on_the_processor_where_there_is_no_device() {
    let nodes = Device::AUTO_FROM as u32;
    let mut layout = ring(nodes);
    layout.set_device(Device::Auto);
    let Some((ticks, error)) = until_a_device_is_missing(&mut layout) else { return };
    assert!(is_that_of_the_processor(&mut layout, nodes, ticks), "after {error}");
}
