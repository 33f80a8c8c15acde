// SPDX-License-Identifier: Apache-2.0
//
// A filter in the typed shape: the arguments are the parameters of manifest.json, in their order. A document that has no
// price is not asked about, and does not pass.
import "./quidditch"; // what build.sh names as abort is there

export function filter(price: f64, limit: f64): bool {
  return price <= limit;
}
