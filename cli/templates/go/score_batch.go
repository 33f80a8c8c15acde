// SPDX-License-Identifier: Apache-2.0
//
// The batch shape: a block of documents at once. The columns are the parameters of manifest.json, in their order, each with
// a default: so all their values are valid.
package main

import (
	"unsafe"

	quidditch "quidditch-udf"
)

//go:wasmexport score
func score(n int32, columns, out unsafe.Pointer) {
	parameters := quidditch.Columns(columns, 3)
	relevance, popularity, boost := parameters[0].Float64s(n), parameters[1].Float64s(n), parameters[2].Float64s(n)
	result := quidditch.Columns(out, 1)[0].Float64s(n)
	for i := range result {
		result[i] = relevance[i] * (1 + boost[i]*popularity[i])
	}
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
