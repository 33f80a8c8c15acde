// SPDX-License-Identifier: Apache-2.0

//! The handle shape: fields are looked up once, and their numbers then read without leaving the sandbox.

#![no_std]

use quidditch_udf::{panic_handler, param, score as relevance, Context, LazyField};

panic_handler!();

static POPULARITY: LazyField = LazyField::new("popularity");

#[no_mangle]
pub extern "C" fn score(_: Context) -> f64 {
    let boost = param::f64("boost").unwrap_or(0.0);
    relevance() * (1.0 + boost * POPULARITY.get().f64_or_0())
}
