// SPDX-License-Identifier: Apache-2.0
//
// The batch shape: a block of documents at once. The columns are the parameters of manifest.json, in their order, each with
// a default: so all their values are valid.
import { Column } from "./quidditch";
export { quidditch_alloc } from "./quidditch"; // where the engine lays the columns

export function score(n: i32, columns: usize, out: Column): void {
  const relevance = Column.of(columns, 0), popularity = Column.of(columns, 1), boost = Column.of(columns, 2);
  for (let i = 0; i < n; i++) out.setF64(i, relevance.f64(i) * (1 + boost.f64(i) * popularity.f64(i)));
}
