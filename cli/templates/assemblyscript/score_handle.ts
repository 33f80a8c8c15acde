// SPDX-License-Identifier: Apache-2.0
//
// The handle shape: fields are looked up once, and their numbers then read without leaving the sandbox.
import { Context, Handle, Param, scoreHere } from "./quidditch";

const popularity = new Handle("popularity");
const boost = new Param("boost");

export function score(ctx: Context): f64 {
  return scoreHere() * (1 + boost.f64(0) * popularity.f64(0));
}
