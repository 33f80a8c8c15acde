// SPDX-License-Identifier: Apache-2.0
//
// The typed shape: the arguments are the parameters of manifest.json, in their order, filled by the engine from the query
// and from the documents' columns.
package main

//go:wasmexport score
func score(relevance, popularity, boost float64) float64 {
	return relevance * (1 + boost*popularity)
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
