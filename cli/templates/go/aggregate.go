// SPDX-License-Identifier: Apache-2.0
//
// An aggregate in the typed shape: five functions that share a state. Each segment of an index has a state of its own, in an
// instance of its own; they leave as bytes, and are merged into a last one, which gives the result.
package main

import (
	"unsafe"

	quidditch "quidditch-udf"
)

type mean struct {
	sum, n float64
}

var only mean // an instance has one state

//go:wasmexport aggregate_init
func aggregateInit() unsafe.Pointer {
	return unsafe.Pointer(&only)
}

//go:wasmexport aggregate_update
func aggregateUpdate(_ unsafe.Pointer, value float64) {
	only.sum += value
	only.n++
}

// Where the state's bytes lie, and how many they are.
//
//go:wasmexport aggregate_serialize
func aggregateSerialize(state unsafe.Pointer) uint64 {
	return uint64(uintptr(state))<<32 | uint64(unsafe.Sizeof(only))
}

// Adds a state that aggregateSerialize gave in another instance.
//
//go:wasmexport aggregate_merge
func aggregateMerge(_, other unsafe.Pointer, n int32) {
	if uintptr(n) != unsafe.Sizeof(only) {
		panic("a state of another size")
	}
	only.sum += (*mean)(other).sum
	only.n += (*mean)(other).n
}

//go:wasmexport aggregate_finish
func aggregateFinish(_ unsafe.Pointer) float64 {
	if only.n == 0 {
		quidditch.SetResultMissing()
	}
	return only.sum / only.n
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
