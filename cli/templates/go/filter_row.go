// SPDX-License-Identifier: Apache-2.0
//
// The row shape: the function gets a context, and asks for fields and parameters.
package main

import quidditch "quidditch-udf"

//go:wasmexport filter
func filter(ctx quidditch.Context) int32 {
	price, err := ctx.Float64("price")
	if err != quidditch.OK {
		return 0
	}
	limit, err := quidditch.ParamFloat64("limit")
	if err != quidditch.OK || price > limit {
		return 0
	}
	return 1
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
