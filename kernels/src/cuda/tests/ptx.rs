//! Do the PTX that is carried, the launches and the emulator know the same kernels?

use crate::Dim;
use crate::cuda::divide::Division;
use crate::cuda::launches::{self, KERNELS};
use crate::cuda::machine::{Argument, Launch, PTX};
use crate::cuda::memory::{Memory, Sizes, Tables};
use crate::cuda::shape::Shape;

/// The parameters of a kernel, as the PTX declares them: whether each is an address.
fn parameters(kernel: &str) -> Vec<bool> {
    let (_, rest) = PTX.split_once(&format!(".entry {kernel}(")).expect("the PTX has the kernel");
    let (list, _) = rest.split_once(')').unwrap();
    list.lines()
        .filter_map(|line| line.trim().strip_prefix(".param "))
        .map(|line| match line.split_once(' ').unwrap().0 {
            ".u64" => true,
            ".u32" => false,
            other => panic!("{kernel} has a parameter of type {other}"),
        })
        .collect()
}

/// All launches that there can be.
fn launches() -> Vec<Launch> {
    let (memory, tables) = (Memory::default(), Tables::default());
    let sizes = Sizes { nodes: 5_000, hubs: 3, weighted: true };
    [Dim::Two, Dim::Three]
        .into_iter()
        .flat_map(|dim| {
            let shape = Shape::new(dim, 4);
            let share = Division::whole(sizes.nodes, shape.points()).share(0);
            let mut both = launches::count(&memory, sizes, &shape);
            both.extend(launches::costs(&memory, sizes, &shape));
            both.extend(launches::masses(&memory, sizes, &shape, &share));
            both.extend(launches::forces(&memory, sizes, &shape, &tables, &share));
            both.extend(launches::commit(&memory, sizes));
            both
        })
        .collect()
}

#[test]
fn launches_give_kernels_what_the_ptx_declares() {
    let launches = launches();
    for launch in &launches {
        let given: Vec<bool> =
            launch.arguments.iter().map(|argument| matches!(argument, Argument::Memory(_))).collect();
        assert_eq!(given, parameters(launch.kernel), "{}", launch.kernel);
        assert!(launch.grid > 0 && launch.shared <= 48 * 1024);
    }
    for kernel in KERNELS {
        assert!(launches.iter().any(|launch| launch.kernel == kernel), "{kernel} is never launched");
    }
    assert_eq!(PTX.matches(".visible .entry ").count(), KERNELS.len());
}

#[test]
fn the_emulator_has_every_kernel_once() {
    let list = include_str!("../../../cuda/emulator/kernels.inc");
    let listed: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("KERNEL(").and_then(|rest| rest.strip_suffix(')')))
        .collect();
    assert_eq!(listed, KERNELS);
}

#[test]
fn no_transform_takes_more_shared_memory_than_every_device_has() {
    for dim in [Dim::Two, Dim::Three] {
        for index in 0..Shape::COUNT {
            let shape = Shape::new(dim, index);
            assert!(shape.shared() <= 48 * 1024, "{shape:?}");
            assert_eq!(shape.side % 2, 0, "rows are transformed in pairs");
        }
    }
}
