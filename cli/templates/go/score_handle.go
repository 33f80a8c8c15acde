// SPDX-License-Identifier: Apache-2.0
//
// The handle shape: fields are looked up once, and their numbers then read without leaving the sandbox.
package main

import quidditch "quidditch-udf"

var popularity = quidditch.NewField("popularity")

//go:wasmexport score
func score(ctx quidditch.Context) float64 {
	boost, _ := quidditch.ParamFloat64("boost")
	return quidditch.Score() * (1 + boost*popularity.Float64())
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
