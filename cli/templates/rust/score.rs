// SPDX-License-Identifier: Apache-2.0

//! The typed shape: the arguments are the parameters of manifest.json, in their order, filled by the engine from the
//! query and from the documents' columns.

#![no_std]

quidditch_udf::panic_handler!();

#[no_mangle]
pub extern "C" fn score(relevance: f64, popularity: f64, boost: f64) -> f64 {
    relevance * (1.0 + boost * popularity)
}
