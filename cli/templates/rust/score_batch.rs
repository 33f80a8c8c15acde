// SPDX-License-Identifier: Apache-2.0

//! The batch shape: a block of documents at once. The columns are the parameters of manifest.json, in their order, each
//! with a default: so all their values are valid.

#![no_std]

use quidditch_udf::batch::{Block, Column};
use quidditch_udf::panic_handler;

panic_handler!();

/// # Safety
/// The engine's pointers are what it says they are.
#[no_mangle]
pub unsafe extern "C" fn score(n: u32, columns: *const Column, out: *mut Column) {
    let mut block = Block::new(n, columns, 3, out);
    let (relevance, popularity, boost) = (block.column(0).f64(), block.column(1).f64(), block.column(2).f64());
    for (((result, r), p), boost) in block.out.f64_mut().iter_mut().zip(relevance).zip(popularity).zip(boost) {
        *result = r * (1.0 + boost * p);
    }
}
