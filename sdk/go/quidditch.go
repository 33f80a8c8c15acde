// SPDX-License-Identifier: Apache-2.0

// Package quidditch has the host functions of the search engine Quidditch, for functions in the row shape. Each needs a
// permission in the manifest, named with it; parameters need none. Field names are paths: "vendor.name", "tags[2]".
package quidditch

import "unsafe"

// ABIVersion is the version of the guest ABI that this package speaks.
const ABIVersion = 1

// Context is the document at hand: an id, good for the call that it was given to, and for nothing after.
type Context int64

// Status says how a read ended.
type Status int32

const (
	OK        Status = 0
	Missing   Status = 1 // the document has no such value; the query gives no such parameter
	WrongType Status = 2 // it has one of another type, or a number that does not fit
	Bad       Status = 3 // the context is not this call's
)

// Level is a message's place in the log.
type Level int32

const (
	Debug Level = iota
	Info
	Warning
	Error
)

//go:wasmimport env has_field
func hasField(ctx int64, name string) int32

//go:wasmimport env get_field_string
func getFieldString(ctx int64, name string, buf, length unsafe.Pointer) int32

//go:wasmimport env get_field_i64
func getFieldI64(ctx int64, name string, out unsafe.Pointer) int32

//go:wasmimport env get_field_f64
func getFieldF64(ctx int64, name string, out unsafe.Pointer) int32

//go:wasmimport env get_field_bool
func getFieldBool(ctx int64, name string, out unsafe.Pointer) int32

//go:wasmimport env get_document_id
func getDocumentID(ctx int64, buf, length unsafe.Pointer) int32

//go:wasmimport env get_field_count
func getFieldCount(ctx int64, name string) int32

//go:wasmimport env field_handle
func fieldHandle(name string) int32

//go:wasmimport env field_f64
func fieldF64(field int32) float64

//go:wasmimport env field_i64
func fieldI64(field int32) int64

//go:wasmimport env field_valid
func fieldValid(field int32) int32

//go:wasmimport env field_string
func fieldString(field int32, buf, length unsafe.Pointer) int32

//go:wasmimport env field_count
func fieldCount(field int32) int32

//go:wasmimport env field_f64_at
func fieldF64At(field, i int32, out unsafe.Pointer) int32

//go:wasmimport env field_i64_at
func fieldI64At(field, i int32, out unsafe.Pointer) int32

//go:wasmimport env field_string_at
func fieldStringAt(field, i int32, buf, length unsafe.Pointer) int32

//go:wasmimport env score
func hostScore() float64

//go:wasmimport env get_score
func getScore(ctx int64) float64

//go:wasmimport env get_param_string
func getParamString(name string, buf, length unsafe.Pointer) int32

//go:wasmimport env get_param_i64
func getParamI64(name string, out unsafe.Pointer) int32

//go:wasmimport env get_param_f64
func getParamF64(name string, out unsafe.Pointer) int32

//go:wasmimport env get_param_bool
func getParamBool(name string, out unsafe.Pointer) int32

//go:wasmimport env set_result_string
func hostSetResultString(text string)

//go:wasmimport env set_result_missing
func hostSetResultMissing()

//go:wasmimport env log
func hostLog(level int32, message string) int32

// The engine calls a function for one document after the other, so what it writes to can stand here: on the heap of each
// call it would be garbage.
var (
	number  float64
	integer int64
	truth   int32
	length  uint32
	text    = make([]byte, 256) // grows to the longest text
)

// readText calls get until the text fits. The bytes are good until the next read.
func readText(get func(buf, length unsafe.Pointer) int32) ([]byte, Status) {
	for {
		length = uint32(len(text))
		status := Status(get(unsafe.Pointer(&text[0]), unsafe.Pointer(&length)))
		if status == OK {
			return text[:length], OK
		}
		if status != Bad || int(length) <= len(text) {
			return nil, status
		}
		text = make([]byte, length)
	}
}

// Has tells whether the document has a value for the field. Permission of this and of the readers below: read_document.
func (c Context) Has(field string) bool {
	return hasField(int64(c), field) != 0
}

// Int64 reads a number; a fraction is cut toward zero.
func (c Context) Int64(field string) (int64, Status) {
	status := Status(getFieldI64(int64(c), field, unsafe.Pointer(&integer)))
	return integer, status
}

// Float64 reads a number.
func (c Context) Float64(field string) (float64, Status) {
	status := Status(getFieldF64(int64(c), field, unsafe.Pointer(&number)))
	return number, status
}

// Bool reads a boolean.
func (c Context) Bool(field string) (bool, Status) {
	status := Status(getFieldBool(int64(c), field, unsafe.Pointer(&truth)))
	return truth != 0, status
}

// Bytes reads a text, as UTF-8 that is good until the next read; String copies it.
func (c Context) Bytes(field string) ([]byte, Status) {
	return readText(func(buf, length unsafe.Pointer) int32 { return getFieldString(int64(c), field, buf, length) })
}

// String reads a text.
func (c Context) String(field string) (string, Status) {
	b, status := c.Bytes(field)
	return string(b), status
}

// Count tells how many values the document has for the field: of an array, its elements.
func (c Context) Count(field string) int {
	return int(getFieldCount(int64(c), field))
}

// ID reads the document's _id.
func (c Context) ID() (string, Status) {
	b, status := readText(func(buf, length unsafe.Pointer) int32 { return getDocumentID(int64(c), buf, length) })
	return string(b), status
}

// Score is that of the query below the function; 0 where there is none, NaN for a context that is not this call's.
// Permission: read_score.
func (c Context) Score() float64 {
	return getScore(int64(c))
}

// Field is one by handle, looked up once: var price = quidditch.NewField("price"). Its numbers are then read without leaving
// the sandbox. Permission: read_document.
type Field int32

// NewField looks a field up. More than 64 different ones panic.
func NewField(name string) Field {
	handle := fieldHandle(name)
	if handle < 0 {
		panic("quidditch: too many fields")
	}
	return Field(handle)
}

// Valid tells whether the document at hand has a number, a boolean or a date there.
func (f Field) Valid() bool {
	return fieldValid(int32(f)) != 0
}

// Float64 reads a number, a boolean (0 or 1) or a date (milliseconds since 1970); 0 where Valid is false.
func (f Field) Float64() float64 {
	return fieldF64(int32(f))
}

// Int64 reads the same; a fraction is cut, and what does not fit is the nearest that does.
func (f Field) Int64() int64 {
	return fieldI64(int32(f))
}

// Bytes reads a text, as UTF-8 that is good until the next read; String copies it.
func (f Field) Bytes() ([]byte, Status) {
	return readText(func(buf, length unsafe.Pointer) int32 { return fieldString(int32(f), buf, length) })
}

// String reads a text.
func (f Field) String() (string, Status) {
	b, status := f.Bytes()
	return string(b), status
}

// Count tells how many values the document has there: of an array, its elements.
func (f Field) Count() int {
	return int(fieldCount(int32(f)))
}

// Float64At reads value number i of several, from 0.
func (f Field) Float64At(i int) (float64, Status) {
	status := Status(fieldF64At(int32(f), int32(i), unsafe.Pointer(&number)))
	return number, status
}

// Int64At reads value number i of several, from 0.
func (f Field) Int64At(i int) (int64, Status) {
	status := Status(fieldI64At(int32(f), int32(i), unsafe.Pointer(&integer)))
	return integer, status
}

// StringAt reads value number i of several, from 0.
func (f Field) StringAt(i int) (string, Status) {
	b, status := readText(func(buf, length unsafe.Pointer) int32 { return fieldStringAt(int32(f), int32(i), buf, length) })
	return string(b), status
}

// Score is as Context.Score gives it, without leaving the sandbox. Permission: read_score.
func Score() float64 {
	return hostScore()
}

// SetResult says the result of a function that returns a string (the manifest's "returns"); what it returns itself is then
// not looked at, and without a string there is no result.
func SetResult(text string) {
	hostSetResultString(text)
}

// SetResultMissing says that the document at hand has no result.
func SetResultMissing() {
	hostSetResultMissing()
}

// ParamInt64 reads a parameter: the query's value, or where the manifest says it comes from. A fraction is cut.
func ParamInt64(name string) (int64, Status) {
	status := Status(getParamI64(name, unsafe.Pointer(&integer)))
	return integer, status
}

// ParamFloat64 reads a parameter.
func ParamFloat64(name string) (float64, Status) {
	status := Status(getParamF64(name, unsafe.Pointer(&number)))
	return number, status
}

// ParamBool reads a parameter.
func ParamBool(name string) (bool, Status) {
	status := Status(getParamBool(name, unsafe.Pointer(&truth)))
	return truth != 0, status
}

// ParamBytes reads a parameter, as UTF-8 that is good until the next read; ParamString copies it.
func ParamBytes(name string) ([]byte, Status) {
	return readText(func(buf, length unsafe.Pointer) int32 { return getParamString(name, buf, length) })
}

// ParamString reads a parameter.
func ParamString(name string) (string, Status) {
	b, status := ParamBytes(name)
	return string(b), status
}

// Log writes a message; past the function's limit (log_bytes) the rest is dropped. When a call fails, the last error that
// it logged becomes part of what the user is told. Permission: log.
func Log(level Level, message string) {
	hostLog(int32(level), message)
}

// Fail ends the call as a failure; the message is what the user is told. Permission: log.
func Fail(message string) {
	Log(Error, message)
	panic(message)
}

// ---- what the engine lays into the module's memory --------------------------------------------------------------------

// All memory is the runtime's, so it says where the engine may write: texts that are arguments (a parameter of type string in
// Go), and the columns of the batch shape.
var areas [][]byte

//go:wasmexport quidditch_alloc
func alloc(bytes int32) unsafe.Pointer {
	area := make([]byte, bytes)
	areas = append(areas, area) // an area is in use until the instance ends; they double, so there are few
	return unsafe.Pointer(&area[0])
}

// Column is a block's values of one parameter, or its results. Asking for another type than the manifest's panics.
type Column struct {
	data, valid, kind, flags uint32 // addresses have 32 bits, Go's pointers 64
}

const (
	kindInt32, kindInt64, kindFloat32, kindFloat64, kindString = 0, 1, 2, 3, 4
	flagConstant                                               = 1
)

// Columns are those of n parameters, from the second argument of a function in the batch shape:
//
//	//go:wasmexport score
//	func score(n int32, columns, out unsafe.Pointer) {
//		price, result := quidditch.Columns(columns, 1)[0].Float64s(n), quidditch.Columns(out, 1)[0].Float64s(n)
func Columns(at unsafe.Pointer, n int) []Column {
	return unsafe.Slice((*Column)(at), n)
}

func values[T any](c *Column, kind uint32, n int32) []T {
	if c.kind != kind {
		panic("quidditch: a column of another type")
	}
	return unsafe.Slice((*T)(pointer(c.data)), n)
}

// An address that the engine gave. It lies in an area, which stays where it is.
func pointer(address uint32) unsafe.Pointer {
	at := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&at))
}

// Float64s are the rows as f64.
func (c *Column) Float64s(n int32) []float64 { return values[float64](c, kindFloat64, n) }

// Float32s are the rows as f32.
func (c *Column) Float32s(n int32) []float32 { return values[float32](c, kindFloat32, n) }

// Int64s are the rows as i64.
func (c *Column) Int64s(n int32) []int64 { return values[int64](c, kindInt64, n) }

// Int32s are the rows as i32; booleans, and the results of a filter, are 0 and 1.
func (c *Column) Int32s(n int32) []int32 { return values[int32](c, kindInt32, n) }

// Text is row i of strings, good until the call ends.
func (c *Column) Text(i, n int32) string {
	row := values[[2]uint32](c, kindString, n)[i]
	if row[1] == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(row[0])), row[1])
}

// Valid has a byte per row, 0 where there is no value; nil: all have one. Of results it is never nil, and all 1 at first.
func (c *Column) Valid(n int32) []byte {
	if c.valid == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(c.valid)), n)
}

// Constant tells whether all rows are equal.
func (c *Column) Constant() bool {
	return c.flags&flagConstant != 0
}
