// SPDX-License-Identifier: Apache-2.0
//
// The row shape: the function gets a context, and asks for fields and parameters.
import { Context, Field, Param, Status, lastStatus } from "./quidditch";

const price = new Field("price");
const limit = new Param("limit");

export function filter(ctx: Context): bool {
  const p = price.f64(ctx, 0);
  return lastStatus() == Status.OK && p <= limit.f64(-1);
}
