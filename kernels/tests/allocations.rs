//! Does a tick of a layout under way take memory from the system?
#![expect(unsafe_code, reason = "an allocator cannot be written, nor counted, without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use weft_kernels::{Dim, Params, Simulation};

#[path = "layout/graphs.rs"]
mod graphs;

/// The system's allocator, with a count of how often it was asked.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: hands every call on as it is, and touches nothing but a counter beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: what the caller promises of the layout, it promises the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: whatever was handed out, the system's allocator handed out with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Relaxed);
        // SAFETY: as for the two above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// How often a hundred ticks ask for memory, once the layout of so many nodes is under way.
fn asked(dim: Dim, nodes: u32, weak: bool) -> usize {
    let graph = graphs::preferential(nodes, 3, 1);
    let params = Params { cooling: 0.0, tolerance: 1e-7, strong_gravity: !weak, ..Params::default() };
    let mut layout = Simulation::new(dim, params, 1).unwrap();
    layout.sync(&graph.nodes, &graph.edges).unwrap();
    // Until the shape is there: while a layout grows, so does what its ticks need.
    for _ in 0..500 {
        layout.tick();
    }
    let before = ASKED.load(Relaxed);
    for _ in 0..100 {
        layout.tick();
    }
    assert!(!layout.is_settled());
    ASKED.load(Relaxed) - before
}

/// In one test, so that no other one asks beside it.
#[test]
fn a_hundred_ticks_ask_for_no_memory() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| {
        // By a tree, and by a mesh.
        for nodes in [1_000, 20_000] {
            for dim in [Dim::Two, Dim::Three] {
                for weak in [false, true] {
                    assert_eq!(asked(dim, nodes, weak), 0, "{nodes} nodes, {dim:?}, weak gravity: {weak}");
                }
            }
        }
    });
}
