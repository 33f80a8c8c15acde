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
/** Permission: read_score. */
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

/** A field of the documents, by its path. */
export class Field {
  private name: ArrayBuffer;

  constructor(name: string) {
    this.name = String.UTF8.encode(name);
  }

  /** Has the document a value for it? */
  @inline has(ctx: Context): bool {
    return hasField(ctx, changetype<usize>(this.name), this.name.byteLength) != 0;
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
