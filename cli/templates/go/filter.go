// SPDX-License-Identifier: Apache-2.0
//
// A filter in the typed shape: the arguments are the parameters of manifest.json, in their order. A document that has no
// price is not asked about, and does not pass.
package main

//go:wasmexport filter
func filter(price, limit float64) bool {
	return price <= limit
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
