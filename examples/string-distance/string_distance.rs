// SPDX-License-Identifier: Apache-2.0

//! A filter for misspelt words: true when the Levenshtein distance between a field and a target is small enough.
//!
//! The row shape: the engine calls `filter(ctx)` for each document, and the function asks for parameters and fields by
//! host functions. Nothing is allocated; what does not fit the buffers below is refused or does not match.

#![no_std]

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

/// A parameter that makes no sense fails the query: the reason goes to the log, the trap ends the call.
fn refuse(message: &str) -> ! {
    unsafe { log(3, message.as_ptr(), message.len()) };
    core::arch::wasm32::unreachable()
}

/// Text from the engine, which gives UTF-8.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or("")
}

fn param<'a>(name: &str, buf: &'a mut [u8], problem: &str) -> &'a str {
    let mut len = buf.len();
    let code = unsafe { get_param_string(name.as_ptr(), name.len(), buf.as_mut_ptr(), &mut len) };
    if code != OK {
        refuse(problem);
    }
    text(&buf[..len])
}

/// The distance of `a` and `b` in characters, or `None` when it is over `max`. One row of the usual table is kept; a
/// row that is over `max` everywhere ends it early.
fn distance(a: &str, b: &str, max: usize) -> Option<usize> {
    let columns = b.chars().count();
    if a.chars().count().abs_diff(columns) > max {
        return None;
    }
    let mut row = [0u16; MAX_TARGET + 1];
    for (j, cell) in row.iter_mut().enumerate().take(columns + 1) {
        *cell = j as u16;
    }
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        let mut left = i as u16 + 1;
        let mut best = left;
        row[0] = left;
        for (cell, y) in row[1..].iter_mut().zip(b.chars()) {
            let changed = diagonal + u16::from(x != y);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
            best = best.min(left);
        }
        if best as usize > max {
            return None;
        }
    }
    let d = row[columns] as usize;
    (d <= max).then_some(d)
}

#[no_mangle]
pub extern "C" fn filter(ctx: i64) -> i32 {
    let (mut name_buf, mut target_buf, mut value_buf) = ([0u8; MAX_NAME], [0u8; MAX_TARGET], [0u8; MAX_TEXT]);
    let name = param("field", &mut name_buf, "string_distance: 'field' must be a name of at most 256 bytes");
    let target = param("target", &mut target_buf, "string_distance: 'target' must be a text of at most 256 bytes");
    let mut max: i64 = 0;
    if unsafe { get_param_i64("max_distance".as_ptr(), "max_distance".len(), &mut max) } != OK || max < 0 {
        refuse("string_distance: 'max_distance' must be a whole number, 0 or more");
    }

    // A document without the field, or with a text too long to be near a target, does not match.
    let mut len = value_buf.len();
    if unsafe { get_field_string(ctx, name.as_ptr(), name.len(), value_buf.as_mut_ptr(), &mut len) } != OK {
        return 0;
    }
    let max = max.min(MAX_TEXT as i64) as usize;
    i32::from(distance(text(&value_buf[..len]), target, max).is_some())
}
