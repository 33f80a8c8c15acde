// SPDX-License-Identifier: Apache-2.0

// A filter by a regular expression, in the standard Go compiler's WebAssembly: true when a part of a field matches. Go's
// regexp takes time linear in the text whatever the pattern is, so no query can make it hang.
package main

import (
	"fmt"
	"regexp"

	quidditch "quidditch-udf"
)

// What the query gives is the same for all documents of a segment, and an instance sees one query on one segment, so
// compiling once is enough. The name and the pattern are compared nevertheless: they may come from the document.
var (
	field   string
	pattern string
	matcher *regexp.Regexp
)

func prepare() bool {
	name, status := quidditch.ParamBytes("field")
	if status != quidditch.OK {
		return false
	}
	if string(name) != field {
		field = string(name)
	}
	text, status := quidditch.ParamBytes("pattern")
	if status != quidditch.OK {
		return false
	}
	if matcher == nil || string(text) != pattern {
		compiled, err := regexp.Compile(string(text))
		if err != nil {
			quidditch.Fail(fmt.Sprintf("regexp_filter: 'pattern': %v", err))
		}
		pattern, matcher = string(text), compiled
	}
	return true
}

//go:wasmexport filter
func filter(ctx quidditch.Context) int32 {
	if !prepare() {
		return 0
	}
	text, status := ctx.Bytes(field)
	if status != quidditch.OK || !matcher.Match(text) {
		return 0
	}
	return 1
}

// Never called: the module is a reactor, the engine calls its exports.
func main() {}
