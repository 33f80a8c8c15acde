// SPDX-License-Identifier: Apache-2.0
//! What all memories and tables of a store may take together.
//!
//! Wasmtime's C API bounds each memory and each table alone; a store with eight dependencies would get nine times the
//! limit.

use std::ffi::c_int;

use wasmtime_c_api::wasmtime::{self, ResourceLimiter, Store};
use wasmtime_c_api::{WasmtimeStoreData, wasmtime_store_t};

use crate::error::{QeError, guard};

/// `qe_store_budget` of engine.h.
#[repr(C)]
pub struct QeStoreBudget {
    memory_bytes: u64,
    table_elements: u64,
    instances: usize,
    memories: usize,
    is_off: bool,
    used_bytes: u64,
    used_elements: u64,
    refused_bytes: u64,
    refused_elements: u64,
}

/// Takes `current` to `desired` out of what is left, or notes that it was refused. Past the memory's or table's own
/// maximum nothing grows, so nothing is taken.
fn take(used: &mut u64, refused: &mut u64, most: u64, current: usize, desired: usize, own_most: Option<usize>) -> bool {
    if own_most.is_some_and(|own| desired > own) {
        return false;
    }
    let more = desired.saturating_sub(current) as u64;
    match used.checked_add(more) {
        Some(sum) if sum <= most => {
            *used = sum;
            true
        }
        _ => {
            *refused = more;
            false
        }
    }
}

/// What was granted and failed all the same (the system had no memory) stays taken: that is rare, and never too little.
impl ResourceLimiter for QeStoreBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let b = self;
        Ok(b.is_off || take(&mut b.used_bytes, &mut b.refused_bytes, b.memory_bytes, current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let b = self;
        Ok(b.is_off || take(&mut b.used_elements, &mut b.refused_elements, b.table_elements, current, desired, maximum))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

/// The store and its budget go from thread to thread together, and are used by one at a time.
struct Kept(*mut QeStoreBudget);
unsafe impl Send for Kept {}
unsafe impl Sync for Kept {}

impl Kept {
    fn limiter(&mut self) -> *mut QeStoreBudget {
        self.0
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_store_set_budget(
    store: *mut wasmtime_store_t,
    budget: *mut QeStoreBudget,
    err: *mut QeError,
) -> c_int {
    guard(err, || {
        // The C API's store is `#[repr(C)]` with Wasmtime's as its one member.
        let store = unsafe { &mut *store.cast::<Store<WasmtimeStoreData>>() };
        let mut kept = Kept(budget);
        store.limiter(move |_| unsafe { &mut *kept.limiter() });
        Ok(())
    })
}
