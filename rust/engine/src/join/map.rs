// SPDX-License-Identifier: Apache-2.0
//! Where the instructions of a joined module came from, for backtraces in the terms of the first part.

use std::ffi::c_int;

use crate::error::{QeError, guard, guard_or};
use crate::ffi;
use crate::join::{QeWasmPart, join, named};

struct Entry {
    /// Where it is in the joined module.
    at: u32,
    /// Of the first part: the function's index and the instruction's offset. `None`: it is another part's.
    from: Option<(u32, u32)>,
}

/// In the order of the joined module.
#[derive(Default)]
pub struct Map {
    entries: Vec<Entry>,
    n_placed: usize,
}

impl Map {
    /// An instruction begins at `at` of the function that is being written.
    pub fn note(&mut self, at: usize, from: Option<(usize, usize)>) {
        let from = from.map(|(function, offset)| (function as u32, offset as u32));
        self.entries.push(Entry { at: at as u32, from });
    }

    /// What was noted last is of a function that begins at `start` of the code.
    pub fn place(&mut self, start: usize) {
        for entry in &mut self.entries[self.n_placed..] {
            entry.at += start as u32;
        }
        self.n_placed = self.entries.len();
    }

    /// The code begins at `start` of the module.
    pub fn move_by(&mut self, start: usize) {
        for entry in &mut self.entries {
            entry.at += start as u32;
        }
    }

    fn find(&self, offset: usize) -> Option<(u32, u32)> {
        let next = self.entries.partition_point(|entry| entry.at as usize <= offset);
        self.entries.get(next.checked_sub(1)?)?.from
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_wasm_join_map(parts: *const QeWasmPart, n: usize, out: *mut *mut Map, err: *mut QeError) -> c_int {
    guard(err, || {
        let mut map = Map::default();
        join(&named(unsafe { ffi::slice(parts, n) })?, Some(&mut map))?;
        map.entries.shrink_to_fit();
        unsafe { *out = Box::into_raw(Box::new(map)) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_join_map_find(map: *const Map, offset: usize, function: *mut u32, from: *mut usize) -> bool {
    guard_or(false, || match unsafe { &*map }.find(offset) {
        Some((f, o)) => {
            unsafe {
                *function = f;
                *from = o as usize;
            }
            true
        }
        None => false,
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn qe_join_map_free(map: *mut Map) {
    guard_or((), || {
        if !map.is_null() {
            drop(unsafe { Box::from_raw(map) });
        }
    });
}
