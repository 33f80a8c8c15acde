// SPDX-License-Identifier: Apache-2.0
//
// A function that uses all of sdk/assemblyscript; compiled and run by test_wasm_sdk.c, as sdk_guest.c is.
import {
  Column, Context, Field, Handle, Level, Param, Status, documentId, fail, lastStatus, log, score, scoreHere, setResult,
  setResultMissing,
} from "./quidditch";
export { quidditch_alloc } from "./quidditch";

const price = new Field("price");
const stock = new Field("stock");
const flag = new Field("flag");
const name = new Field("name");
const nothing = new Field("nothing");
const boost = new Param("boost");
const limit = new Param("limit");
const fuzzy = new Param("fuzzy");
const target = new Param("target");

const prices = new Handle("price");
const names = new Handle("name");
const stocks = new Handle("stock");

/** The same document by handle. */
function agrees(p: f64, count: i64, n: string): bool {
  const first = names.string(), second = names.stringAt(0);
  return prices.isValid() && prices.f64(-1) == p && stocks.i64(-1) == count && names.f64(-7) == -7 &&
    first !== null && first == n && second !== null && second == n && names.count() == 1 &&
    prices.f64At(0, -1) == p && stocks.i64At(0, -1) == count && names.stringAt(1) === null &&
    lastStatus() == Status.MISSING;
}

export function f(ctx: Context): f64 {
  const p = price.f64(ctx, -1);
  if (lastStatus() == Status.MISSING) {
    log(Level.WARNING, "no price");
    return p;
  }
  const count = stock.i64(ctx, -1), isFlagged = flag.bool(ctx, false);
  if (lastStatus() != Status.OK) return -2;
  const n = name.string(ctx), id = documentId(ctx), t = target.string();
  if (!n || !id || !t) return -3;
  if (!name.has(ctx) || nothing.has(ctx) || price.string(ctx) || lastStatus() != Status.WRONG_TYPE) {
    fail("the errors are not what they should be");
  }
  if (!agrees(p, count, n) || price.count(ctx) != 1 || scoreHere() != score(ctx)) fail("handles do not agree with names");
  if (count == 40) setResultMissing();
  if (count < 0) setResult("never here");
  const letters = i32(n.startsWith("d")) + i32(id.startsWith("i")) + i32(t.startsWith("p"));
  return p + f64(count) + f64(isFlagged) + boost.f64(0) + f64(limit.i64(0)) + f64(fuzzy.bool(false)) + score(ctx) +
    f64(n.length + id.length + t.length + letters);
}

/** Fails at a document with a price of 3 or more. */
export function panics(ctx: Context): f64 {
  const values: StaticArray<f64> = [0, 1.5];
  return values[i32(price.f64(ctx, 0) / 1.5)];
}

/** The batch shape: relevance times price, and no result where there is no price. */
export function batch(n: i32, columns: usize, out: Column): void {
  const relevance = Column.of(columns, 0), p = Column.of(columns, 1);
  for (let i = 0; i < n; i++) {
    if (p.isValid(i)) out.setF64(i, relevance.f64(i) * p.f64(i));
    else out.setMissing(i);
  }
}
