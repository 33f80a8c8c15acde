// SPDX-License-Identifier: Apache-2.0

//! A transform that gives a text, in the typed shape: a text among the arguments is two, where its bytes begin and how
//! many they are.

#![no_std]

use quidditch_udf::{panic_handler, set_result, text};

panic_handler!();

/// # Safety
/// The engine's text is what it says it is.
#[no_mangle]
pub unsafe extern "C" fn transform(title: *const u8, title_len: usize, length: i32) {
    let title = text(title, title_len);
    let end = title.char_indices().nth(length.max(0) as usize).map_or(title.len(), |(at, _)| at);
    set_result(title.get(..end).unwrap_or(title));
}
