// SPDX-License-Identifier: Apache-2.0
//
// Functions for the search engine Quidditch, in AssemblyScript. ABI version 1.
//
//   asc function.ts -O3 --use abort=quidditch/abort --runtime incremental -o function.wasm
//
// The typed shape needs nothing of this module: a function's arguments are the manifest's parameters. In the row shape
// it gets a context and asks for what it needs:
//
//   import { Context, Field } from "./quidditch";
//   const price = new Field("price");
//   export function filter(ctx: Context): bool {
//     return price.f64(ctx, Infinity) < 100;
//   }
//
// Fields and parameters are made once, at the top of the module: their names then are not turned into UTF-8 for each
// document. A read says what it gives where there is no value; `lastStatus()` tells whether, and why. Only the readers of
// strings allocate, garbage that the runtime `incremental` collects (`stub` never does: a large search would fill the
// memory). Each host function needs a permission in the manifest, named with it; parameters need none. Field names are
// paths: "vendor.name", "tags[2]".

export const ABI_VERSION = 1;

/** The document at hand: an id, good for the call that it was given to, and for nothing after. */
export type Context = i64;

/** How the last read ended. */
export namespace Status {
  export const OK: i32 = 0;
  /** The document has no such value; the query gives no such parameter. */
  export const MISSING: i32 = 1;
  /** It has one of another type, or a number that does not fit. */
  export const WRONG_TYPE: i32 = 2;
  /** The context is not this call's. (Buffers are this module's own, and large enough.) */
  export const BAD: i32 = 3;
}

export namespace Level {
  export const DEBUG: i32 = 0;
  export const INFO: i32 = 1;
  export const WARNING: i32 = 2;
  export const ERROR: i32 = 3;
}

// ---- host functions as they are: addresses and lengths of UTF-8 ------------------------------------------------------

/** Permission: read_document, as for all up to getDocumentId. */
@external("env", "has_field")
declare function hasField(ctx: i64, name: usize, nameLength: i32): i32;
@external("env", "get_field_string")
declare function getFieldString(ctx: i64, name: usize, nameLength: i32, buffer: usize, length: usize): i32;
@external("env", "get_field_i64")
declare function getFieldI64(ctx: i64, name: usize, nameLength: i32, out: usize): i32;
@external("env", "get_field_f64")
declare function getFieldF64(ctx: i64, name: usize, nameLength: i32, out: usize): i32;
@external("env", "get_field_bool")
declare function getFieldBool(ctx: i64, name: usize, nameLength: i32, out: usize): i32;
@external("env", "get_document_id")
declare function getDocumentId(ctx: i64, buffer: usize, length: usize): i32;
@external("env", "get_field_count")
declare function getFieldCount(ctx: i64, name: usize, nameLength: i32): i32;
@external("env", "field_handle")
declare function fieldHandle(name: usize, nameLength: i32): i32;
@external("env", "field_f64")
declare function fieldF64(handle: i32): f64;
@external("env", "field_i64")
declare function fieldI64(handle: i32): i64;
@external("env", "field_valid")
declare function fieldValid(handle: i32): i32;
@external("env", "field_string")
declare function fieldString(handle: i32, buffer: usize, length: usize): i32;
@external("env", "field_count")
declare function fieldCount(handle: i32): i32;
@external("env", "field_f64_at")
declare function fieldF64At(handle: i32, i: i32, out: usize): i32;
@external("env", "field_i64_at")
declare function fieldI64At(handle: i32, i: i32, out: usize): i32;
@external("env", "field_string_at")
declare function fieldStringAt(handle: i32, i: i32, buffer: usize, length: usize): i32;
/** Permission: read_score, as for the next. */
@external("env", "score")
declare function hostScore(): f64;
@external("env", "get_score")
declare function getScore(ctx: i64): f64;
@external("env", "get_param_string")
declare function getParamString(name: usize, nameLength: i32, buffer: usize, length: usize): i32;
@external("env", "get_param_i64")
declare function getParamI64(name: usize, nameLength: i32, out: usize): i32;
@external("env", "get_param_f64")
declare function getParamF64(name: usize, nameLength: i32, out: usize): i32;
@external("env", "get_param_bool")
declare function getParamBool(name: usize, nameLength: i32, out: usize): i32;
@external("env", "set_result_string")
declare function hostSetResultString(text: usize, textLength: i32): void;
@external("env", "set_result_missing")
declare function hostSetResultMissing(): void;
/** Permission: log. */
@external("env", "log")
declare function hostLog(level: i32, message: usize, messageLength: i32): i32;

// ---- what the readers share -------------------------------------------------------------------------------------------

/** Where scalars and lengths are written to: the engine calls a function for one document after the other. */
// @ts-ignore: decorator
@lazy const scratch = memory.data(8);

let status: i32 = Status.OK;

/** One of Status, of the last read. */
export function lastStatus(): i32 {
  return status;
}

/** The text buffer, in UTF-8; grows to the longest text. Lazy: no code in modules that read no strings. */
// @ts-ignore: decorator
@lazy let text: ArrayBuffer = new ArrayBuffer(256);

/** True when the last answer asks for a larger buffer, which there is then. */
function hasGrown(): bool {
  const needed = load<u32>(scratch);
  if (status != Status.BAD || needed <= <u32>text.byteLength) return false;
  text = new ArrayBuffer(<i32>needed);
  return true;
}

function takeText(): string | null {
  return status == Status.OK ? String.UTF8.decodeUnsafe(changetype<usize>(text), load<u32>(scratch)) : null;
}

function offerText(): usize {
  store<u32>(scratch, <u32>text.byteLength);
  return changetype<usize>(text);
}

// ---- reading -----------------------------------------------------------------------------------------------------------

/** A field of the documents, by its path: the row shape. */
export class Field {
  private name: ArrayBuffer;

  constructor(name: string) {
    this.name = String.UTF8.encode(name);
  }

  /** Has the document a value for it? */
  @inline has(ctx: Context): bool {
    return hasField(ctx, changetype<usize>(this.name), this.name.byteLength) != 0;
  }

  /** How many values has it there: of an array, its elements? */
  @inline count(ctx: Context): i32 {
    return getFieldCount(ctx, changetype<usize>(this.name), this.name.byteLength);
  }

  @inline f64(ctx: Context, otherwise: f64): f64 {
    status = getFieldF64(ctx, changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<f64>(scratch) : otherwise;
  }

  /** A number; a fraction is cut toward zero. */
  @inline i64(ctx: Context, otherwise: i64): i64 {
    status = getFieldI64(ctx, changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<i64>(scratch) : otherwise;
  }

  @inline bool(ctx: Context, otherwise: bool): bool {
    status = getFieldBool(ctx, changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<i32>(scratch) != 0 : otherwise;
  }

  /** null: no value, or no text. */
  string(ctx: Context): string | null {
    do {
      status = getFieldString(ctx, changetype<usize>(this.name), this.name.byteLength, offerText(), scratch);
    } while (hasGrown());
    return takeText();
  }
}

/**
 * A field by handle, for the handle shape: looked up at the first document, its numbers are then read without leaving the
 * sandbox, some 20 times as fast as by name.
 */
export class Handle {
  private name: ArrayBuffer;
  private handle: i32 = -1;

  constructor(name: string) {
    this.name = String.UTF8.encode(name);
  }

  @inline private get(): i32 {
    return this.handle >= 0 ? this.handle : this.find();
  }

  /** More than 64 different fields end the call. */
  private find(): i32 {
    this.handle = fieldHandle(changetype<usize>(this.name), this.name.byteLength);
    if (this.handle < 0) unreachable();
    return this.handle;
  }

  /** Has the document at hand a number, a boolean or a date there? */
  @inline isValid(): bool {
    return fieldValid(this.get()) != 0;
  }

  /** A number, a boolean (0 or 1) or a date (milliseconds since 1970). */
  @inline f64(otherwise: f64): f64 {
    const value = fieldF64(this.get());
    return fieldValid(this.handle) ? value : otherwise;
  }

  /** The same; a fraction is cut, and what does not fit is the nearest that does. */
  @inline i64(otherwise: i64): i64 {
    const value = fieldI64(this.get());
    return fieldValid(this.handle) ? value : otherwise;
  }

  /** null: no value, or no text. */
  string(): string | null {
    do {
      status = fieldString(this.get(), offerText(), scratch);
    } while (hasGrown());
    return takeText();
  }

  @inline count(): i32 {
    return fieldCount(this.get());
  }

  /** The value number `i` of several, from 0. */
  @inline f64At(i: i32, otherwise: f64): f64 {
    status = fieldF64At(this.get(), i, scratch);
    return status == Status.OK ? load<f64>(scratch) : otherwise;
  }

  @inline i64At(i: i32, otherwise: i64): i64 {
    status = fieldI64At(this.get(), i, scratch);
    return status == Status.OK ? load<i64>(scratch) : otherwise;
  }

  stringAt(i: i32): string | null {
    do {
      status = fieldStringAt(this.get(), i, offerText(), scratch);
    } while (hasGrown());
    return takeText();
  }
}

/** A parameter of the function: the query's value, or where the manifest says it comes from. */
export class Param {
  private name: ArrayBuffer;

  constructor(name: string) {
    this.name = String.UTF8.encode(name);
  }

  @inline f64(otherwise: f64): f64 {
    status = getParamF64(changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<f64>(scratch) : otherwise;
  }

  /** A number; a fraction is cut toward zero. */
  @inline i64(otherwise: i64): i64 {
    status = getParamI64(changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<i64>(scratch) : otherwise;
  }

  @inline bool(otherwise: bool): bool {
    status = getParamBool(changetype<usize>(this.name), this.name.byteLength, scratch);
    return status == Status.OK ? load<i32>(scratch) != 0 : otherwise;
  }

  string(): string | null {
    do {
      status = getParamString(changetype<usize>(this.name), this.name.byteLength, offerText(), scratch);
    } while (hasGrown());
    return takeText();
  }
}

/** The document's _id. */
export function documentId(ctx: Context): string | null {
  do {
    status = getDocumentId(ctx, offerText(), scratch);
  } while (hasGrown());
  return takeText();
}

/** The score of the query below the function; 0 where there is none, NaN for a context that is not this call's. */
// @ts-ignore: decorator
@inline
export function score(ctx: Context): f64 {
  return getScore(ctx);
}

/** The same without leaving the sandbox: the handle shape. */
// @ts-ignore: decorator
@inline
export function scoreHere(): f64 {
  return hostScore();
}

// ---- results that are no numbers --------------------------------------------------------------------------------------

/**
 * A function that returns a string (the manifest's `returns`) says which; what it returns itself is then not looked at, and
 * without a string there is no result.
 */
export function setResult(text: string): void {
  const bytes = String.UTF8.encode(text);
  hostSetResultString(changetype<usize>(bytes), bytes.byteLength);
}

/** The document at hand has no result. */
export function setResultMissing(): void {
  hostSetResultMissing();
}

// ---- what the engine lays into the module's memory --------------------------------------------------------------------

/**
 * Room for the engine: for texts that are arguments, and for the columns of the batch shape. A module that has either must
 * export it, for all of the memory is the runtime's: export { quidditch_alloc } from "./quidditch";
 */
export function quidditch_alloc(bytes: i32): usize {
  return heap.alloc(bytes);
}

/** An argument in the typed shape, where each string is two: (text: usize, length: i32). */
export function textOf(text: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(text, length);
}

/** A block's values of one parameter, or its results. The methods read and write row `i`, unchecked. */
@unmanaged
export class Column {
  data: usize;
  private validity: usize;
  type: i32;
  flags: i32;

  /** That of parameter `i`, from the second argument of a function in the batch shape. */
  @inline static of(columns: usize, i: i32): Column {
    return changetype<Column>(columns + (<usize>i << 4));
  }

  @inline f64(i: i32): f64 {
    return load<f64>(this.data + (<usize>i << 3));
  }
  @inline setF64(i: i32, value: f64): void {
    store<f64>(this.data + (<usize>i << 3), value);
  }
  @inline i64(i: i32): i64 {
    return load<i64>(this.data + (<usize>i << 3));
  }
  @inline setI64(i: i32, value: i64): void {
    store<i64>(this.data + (<usize>i << 3), value);
  }
  @inline f32(i: i32): f32 {
    return load<f32>(this.data + (<usize>i << 2));
  }
  @inline setF32(i: i32, value: f32): void {
    store<f32>(this.data + (<usize>i << 2), value);
  }
  /** i32, and booleans as 0 and 1. */
  @inline i32(i: i32): i32 {
    return load<i32>(this.data + (<usize>i << 2));
  }
  @inline setI32(i: i32, value: i32): void {
    store<i32>(this.data + (<usize>i << 2), value);
  }
  string(i: i32): string {
    const at = this.data + (<usize>i << 3);
    return String.UTF8.decodeUnsafe(load<u32>(at), load<u32>(at, 4));
  }

  @inline isValid(i: i32): bool {
    return this.validity == 0 || load<u8>(this.validity + i) != 0;
  }
  /** Of results: there is none for this row. */
  @inline setMissing(i: i32): void {
    store<u8>(this.validity + i, 0);
  }
  @inline isConstant(): bool {
    return (this.flags & 1) != 0;
  }
}

// ---- the log, and the end ---------------------------------------------------------------------------------------------

/** A message at one of Level; past the function's limit (log_bytes) the rest is dropped. */
export function log(level: i32, message: string): void {
  const bytes = String.UTF8.encode(message);
  hostLog(level, changetype<usize>(bytes), bytes.byteLength);
}

/** Ends the call as a failure; the message is what the user is told. Permission: log. */
export function fail(message: string): void {
  log(Level.ERROR, message);
  unreachable();
}

/** For `asc --use abort=…/quidditch/abort`: what a failed assertion, a bad index or `throw` does. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  unreachable();
}

/** The same, saying why in the log (permission: log), and so to the user. */
export function abortLogged(message: string | null, file: string | null, line: u32, column: u32): void {
  fail((message ? message : "abort") + " at " + (file ? file : "?") + ":" + line.toString());
}
