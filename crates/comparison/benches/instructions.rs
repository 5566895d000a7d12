//! How many instructions preparing and comparing take, counted by valgrind: the figure does not depend on what else the
//! machine does, so that a change of a hundredth shows.
//!
//! It needs valgrind and the runner of the same version, and is left out of `cargo bench --workspace` for that reason:
//!
//! ```text
//! apt-get install valgrind
//! cargo install gungraun-runner --version 0.20.0 --locked
//! cargo bench -p comparison --bench instructions
//! ```

#![expect(missing_docs, reason = "the macros make public modules without words")]

mod faces;

use std::hint::black_box;

use comparison::{Comparison, MarkKind, Preset, Surface, compare, prepare};
use gungraun::{library_benchmark, library_benchmark_group, main};
use topography::Topography;

fn prepared(scan: &Topography) -> Surface {
    let preset = Preset::default_for(MarkKind::BreechFace);
    prepare(scan, &preset).expect("the made-up faces can be compared")
}

fn pair(seed: f64) -> [Surface; 2] {
    [0.3, seed].map(|seed| prepared(&faces::face(seed)))
}

#[library_benchmark]
#[bench::one_scan(args = (0.3), setup = faces::face)]
fn preparing(scan: Topography) -> Surface {
    black_box(prepared(&scan))
}

#[library_benchmark]
#[bench::two_sources(args = (1.7), setup = pair)]
#[bench::one_source(args = (0.3), setup = pair)]
fn comparing_both_directions(pair: [Surface; 2]) -> Comparison {
    black_box(compare(&pair[0], &pair[1])).expect("both were prepared alike")
}

library_benchmark_group!(name = instructions, benchmarks = [preparing, comparing_both_directions]);
main!(library_benchmark_groups = instructions);
