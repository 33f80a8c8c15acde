// SPDX-License-Identifier: Apache-2.0

//! A filter in the typed shape: the arguments are the parameters of manifest.json, in their order. A document that has
//! no price is not asked about, and does not pass.

#![no_std]

quidditch_udf::panic_handler!();

#[no_mangle]
pub extern "C" fn filter(price: f64, limit: f64) -> bool {
    price <= limit
}
