// SPDX-License-Identifier: Apache-2.0
//! Conversions between C's (pointer, length) pairs and slices.

use std::ffi::c_char;

use crate::error::{Failure, Result};

/// A slice from a C array. An empty array may have any pointer.
///
/// # Safety
/// `p` must point at `n` readable, initialized values that nobody writes for as long as the slice lives.
pub unsafe fn slice<'a, T>(p: *const T, n: usize) -> &'a [T] {
    if n == 0 { &[] } else { unsafe { std::slice::from_raw_parts(p, n) } }
}

/// A mutable slice from a C array.
///
/// # Safety
/// As [`slice`], and nobody else may read or write the values.
pub unsafe fn slice_mut<'a, T>(p: *mut T, n: usize) -> &'a mut [T] {
    if n == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(p, n) } }
}

/// The bytes of a C string with a length.
///
/// # Safety
/// As [`slice`].
pub unsafe fn bytes<'a>(p: *const c_char, n: usize) -> &'a [u8] {
    unsafe { slice(p.cast::<u8>(), n) }
}

/// The text of a C string with a length; `what` names it in the message when it is not UTF-8.
///
/// # Safety
/// As [`slice`].
pub unsafe fn text<'a>(p: *const c_char, n: usize, what: &str) -> Result<&'a str> {
    std::str::from_utf8(unsafe { bytes(p, n) })
        .map_err(|e| Failure::invalid(format!("{what} is not UTF-8: bad byte at offset {}", e.valid_up_to())))
}

/// A pointer that C vouches for being usable from any thread (engine.h says so for each callback and its argument).
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *const T);

unsafe impl<T> Send for Shared<T> {}
unsafe impl<T> Sync for Shared<T> {}
