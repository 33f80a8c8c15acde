// SPDX-License-Identifier: Apache-2.0

// A function that uses all of sdk/go; compiled and run by test_wasm_sdk.c, as sdk_guest.c is.
package main

import (
	"strings"
	"unsafe"

	quidditch "quidditch-udf"
)

func count(values ...bool) (n float64) {
	for _, v := range values {
		if v {
			n++
		}
	}
	return n
}

var (
	prices = quidditch.NewField("price")
	names  = quidditch.NewField("name")
	stocks = quidditch.NewField("stock")
)

// The same document by handle.
func agrees(price float64, stock int64, name string) bool {
	first, s1 := names.String()
	second, s2 := names.StringAt(0)
	_, none := names.StringAt(1)
	price0, s3 := prices.Float64At(0)
	stock0, s4 := stocks.Int64At(0)
	return prices.Valid() && prices.Float64() == price && stocks.Int64() == stock && !names.Valid() && names.Count() == 1 &&
		s1|s2|s3|s4 == quidditch.OK && first == name && second == name && none == quidditch.Missing &&
		price0 == price && stock0 == stock
}

//go:wasmexport f
func f(ctx quidditch.Context) float64 {
	price, status := ctx.Float64("price")
	if status == quidditch.Missing {
		quidditch.Log(quidditch.Warning, "no price")
		return -1
	}
	stock, s1 := ctx.Int64("stock")
	flag, s2 := ctx.Bool("flag")
	name, s3 := ctx.String("name")
	id, s4 := ctx.ID()
	target, s5 := quidditch.ParamString("target")
	boost, s6 := quidditch.ParamFloat64("boost")
	limit, s7 := quidditch.ParamInt64("limit")
	fuzzy, s8 := quidditch.ParamBool("fuzzy")
	if status|s1|s2|s3|s4|s5|s6|s7|s8 != quidditch.OK {
		return -2
	}
	_, wrong := ctx.String("price")
	if !ctx.Has("name") || ctx.Has("nothing") || wrong != quidditch.WrongType {
		quidditch.Fail("the errors are not what they should be")
	}
	if !agrees(price, stock, name) || ctx.Count("price") != 1 || quidditch.Score() != ctx.Score() {
		quidditch.Fail("handles do not agree with names")
	}
	if stock == 40 {
		quidditch.SetResultMissing()
	}
	if stock < 0 {
		quidditch.SetResult("never here")
	}
	letters := count(strings.HasPrefix(name, "d"), strings.HasPrefix(id, "i"), strings.HasPrefix(target, "p"))
	return price + float64(stock) + count(flag, fuzzy) + boost + float64(limit) + ctx.Score() +
		float64(len(name)+len(id)+len(target)) + letters
}

// Panics at a document with a price of 3 or more.
//
//go:wasmexport panics
func panics(ctx quidditch.Context) float64 {
	price, _ := ctx.Float64("price")
	return []float64{0, 1.5}[int(price/1.5)]
}

// The batch shape: relevance times price, and no result where there is no price.
//
//go:wasmexport batch
func batch(n int32, columns, out unsafe.Pointer) {
	arguments, results := quidditch.Columns(columns, 2), quidditch.Columns(out, 1)
	relevance, price, result := arguments[0].Float64s(n), arguments[1].Float64s(n), results[0].Float64s(n)
	for i := range result {
		result[i] = relevance[i] * price[i]
	}
	if valid := arguments[1].Valid(n); valid != nil {
		copy(results[0].Valid(n), valid)
	}
}

func main() {}
