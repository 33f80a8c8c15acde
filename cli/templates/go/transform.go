// SPDX-License-Identifier: Apache-2.0
//
// A transform that gives a text, in the typed shape. The text is gone when the function returns.
package main

import quidditch "quidditch-udf"

//go:wasmexport transform
func transform(text string, length int32) {
	for at := range text { // where characters begin
		if length <= 0 {
			text = text[:at]
			break
		}
		length--
	}
	quidditch.SetResult(text)
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
