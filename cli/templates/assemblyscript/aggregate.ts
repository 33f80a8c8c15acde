// SPDX-License-Identifier: Apache-2.0
//
// An aggregate in the typed shape: five functions that share a state. Each segment of an index has a state of its own, in an
// instance of its own; they leave as bytes, and are merged into a last one, which gives the result.
import { setResultMissing } from "./quidditch";
export { quidditch_alloc } from "./quidditch"; // where the engine lays states that are merged

@unmanaged
class Mean {
  sum: f64;
  n: f64;
}

const only = changetype<Mean>(memory.data(16)); // an instance has one state

export function aggregate_init(): Mean {
  return only;
}

export function aggregate_update(mean: Mean, value: f64): void {
  mean.sum += value;
  mean.n++;
}

/** Where the state's bytes lie, and how many they are. */
export function aggregate_serialize(mean: Mean): u64 {
  return (<u64>changetype<usize>(mean) << 32) | offsetof<Mean>();
}

/** Adds a state that aggregate_serialize gave in another instance. */
export function aggregate_merge(mean: Mean, other: Mean, n: i32): void {
  if (n != offsetof<Mean>()) unreachable();
  mean.sum += other.sum;
  mean.n += other.n;
}

export function aggregate_finish(mean: Mean): f64 {
  if (mean.n == 0) setResultMissing();
  return mean.sum / mean.n;
}
