// SPDX-License-Identifier: Apache-2.0

//! A filter for misspelt words: true when the Levenshtein distance between a field and a target is small enough.
//!
//! The row shape: the engine calls `filter(ctx)` for each document, and the function asks for parameters and fields by
//! host functions. Nothing is allocated; what does not fit the buffers below is refused or does not match.

#![no_std]

use core::mem::MaybeUninit;

const MAX_NAME: usize = 256; // bytes of a field's name
const MAX_TARGET: usize = 256; // bytes of the target
const MAX_TEXT: usize = 1024; // bytes of a field's value

/// What host functions answer.
const OK: i32 = 0;

#[link(wasm_import_module = "env")]
extern "C" {
    fn get_field_string(ctx: i64, name: *const u8, name_len: usize, buf: *mut u8, buf_len: *mut usize) -> i32;
    fn get_param_string(name: *const u8, name_len: usize, buf: *mut u8, buf_len: *mut usize) -> i32;
    fn get_param_i64(name: *const u8, name_len: usize, out: *mut i64) -> i32;
    fn log(level: i32, message: *const u8, message_len: usize);
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// A parameter that makes no sense fails the query: the trap ends the call, and the error tells the reason logged last.
fn refuse(message: &str) -> ! {
    unsafe { log(3, message.as_ptr(), message.len()) };
    core::arch::wasm32::unreachable()
}

/// Room for a text from the engine. It is not cleared for each document: that would take longer than all the rest.
struct Buffer<const N: usize>(MaybeUninit<[u8; N]>);

impl<const N: usize> Buffer<N> {
    fn new() -> Self {
        Buffer(MaybeUninit::uninit())
    }

    /// The text that `get` fetches, a host function that is given the buffer, and its size to turn into the length.
    fn text(&mut self, get: impl FnOnce(*mut u8, *mut usize) -> i32) -> Option<&str> {
        let buf = self.0.as_mut_ptr().cast::<u8>();
        let mut len = N;
        if get(buf, &mut len) != OK {
            return None;
        }
        // The engine has written so many bytes, and no more than there is room for.
        core::str::from_utf8(unsafe { core::slice::from_raw_parts(buf, len) }).ok()
    }

    fn param(&mut self, name: &str) -> Option<&str> {
        self.text(|buf, len| unsafe { get_param_string(name.as_ptr(), name.len(), buf, len) })
    }

    fn field(&mut self, ctx: i64, name: &str) -> Option<&str> {
        self.text(|buf, len| unsafe { get_field_string(ctx, name.as_ptr(), name.len(), buf, len) })
    }
}

/// Is the distance of `a` and `b` in characters at most `max`? `columns` is the length of `b`, and that of `a` differs
/// by no more than `max`. One row of the usual table is kept, and of it only what lies near the diagonal is computed:
/// cells more than `max` columns away from it are over `max` (Ukkonen 1985). A row that is all over `max` is the end.
fn is_within<T: PartialEq>(
    a: impl Iterator<Item = T>,
    b: impl Iterator<Item = T> + Clone,
    columns: usize,
    max: usize,
) -> bool {
    let mut row = [0u16; MAX_TARGET + 1];
    for (j, cell) in row[..=columns].iter_mut().enumerate() {
        *cell = j as u16;
    }
    for (i, x) in (1usize..).zip(a) {
        let (first, last) = (i.saturating_sub(max).max(1), columns.min(i + max));
        let mut diagonal = row[first - 1];
        let mut left = (if first == 1 { i } else { max + 1 }) as u16;
        let mut best = left;
        row[first - 1] = left;
        for (cell, y) in row[first..=last].iter_mut().zip(b.clone().skip(first - 1)) {
            let changed = diagonal + u16::from(x != y);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
            best = best.min(left);
        }
        if best as usize > max {
            return false;
        }
    }
    row[columns] as usize <= max
}

fn is_near(a: &str, b: &str, max: usize) -> bool {
    let columns = b.chars().count();
    if a.chars().count().abs_diff(columns) > max {
        return false;
    }
    if a.is_ascii() && b.is_ascii() {
        is_within(a.bytes(), b.bytes(), columns, max)
    } else {
        is_within(a.chars(), b.chars(), columns, max)
    }
}

#[no_mangle]
pub extern "C" fn filter(ctx: i64) -> i32 {
    let (mut name, mut target, mut value) =
        (Buffer::<MAX_NAME>::new(), Buffer::<MAX_TARGET>::new(), Buffer::<MAX_TEXT>::new());
    let name = name
        .param("field")
        .unwrap_or_else(|| refuse("string_distance: 'field' must be a name of at most 256 bytes"));
    let target = target
        .param("target")
        .unwrap_or_else(|| refuse("string_distance: 'target' must be a text of at most 256 bytes"));
    let mut max: i64 = 0;
    if unsafe { get_param_i64("max_distance".as_ptr(), "max_distance".len(), &mut max) } != OK || max < 0 {
        refuse("string_distance: 'max_distance' must be a whole number, 0 or more")
    }

    // A document without the field, or with a text too long to be near a target, does not match.
    let max = max.min(MAX_TEXT as i64) as usize;
    i32::from(value.field(ctx, name).map_or(false, |text| is_near(text, target, max)))
}
