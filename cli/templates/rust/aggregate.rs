// SPDX-License-Identifier: Apache-2.0

//! An aggregate in the typed shape: five functions that share a state. Each segment of an index has a state of its own,
//! in an instance of its own; they leave as bytes, and are merged into a last one, which gives the result.

#![no_std]

use core::cell::UnsafeCell;
use core::mem::size_of;
use quidditch_udf::{panic_handler, set_result_missing, trap};

panic_handler!();

#[repr(C)]
pub struct Mean {
    sum: f64,
    n: f64,
}

struct Only(UnsafeCell<Mean>);

// An instance has one state, and one thread.
unsafe impl Sync for Only {}

static ONLY: Only = Only(UnsafeCell::new(Mean { sum: 0.0, n: 0.0 }));

#[no_mangle]
pub extern "C" fn aggregate_init() -> *mut Mean {
    ONLY.0.get()
}

#[no_mangle]
pub extern "C" fn aggregate_update(mean: &mut Mean, value: f64) {
    mean.sum += value;
    mean.n += 1.0;
}

/// Where the state's bytes lie, and how many they are.
#[no_mangle]
pub extern "C" fn aggregate_serialize(mean: &Mean) -> u64 {
    (mean as *const Mean as usize as u64) << 32 | size_of::<Mean>() as u64
}

/// Adds a state that `aggregate_serialize` gave in another instance.
#[no_mangle]
pub extern "C" fn aggregate_merge(mean: &mut Mean, other: &Mean, n: usize) {
    if n != size_of::<Mean>() {
        trap();
    }
    mean.sum += other.sum;
    mean.n += other.n;
}

#[no_mangle]
pub extern "C" fn aggregate_finish(mean: &Mean) -> f64 {
    if mean.n == 0.0 {
        set_result_missing();
    }
    mean.sum / mean.n
}
