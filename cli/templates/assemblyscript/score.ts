// SPDX-License-Identifier: Apache-2.0
//
// The typed shape: the arguments are the parameters of manifest.json, in their order, filled by the engine from the query
// and from the documents' columns.
import "./quidditch"; // what build.sh names as abort is there

export function score(relevance: f64, popularity: f64, boost: f64): f64 {
  return relevance * (1 + boost * popularity);
}
