// SPDX-License-Identifier: Apache-2.0

//! The row shape: the function gets a context, and asks for fields and parameters.

#![no_std]

use quidditch_udf::{panic_handler, param, Context, Result};

panic_handler!();

fn is_cheap(ctx: Context) -> Result<bool> {
    Ok(ctx.f64("price")? <= param::f64("limit")?)
}

#[no_mangle]
pub extern "C" fn filter(ctx: Context) -> bool {
    is_cheap(ctx).unwrap_or(false)
}
