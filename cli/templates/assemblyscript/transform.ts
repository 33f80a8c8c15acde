// SPDX-License-Identifier: Apache-2.0
//
// A transform that gives a text, in the typed shape: a text among the arguments is two, where its bytes begin and how many
// they are. They are UTF-8, and gone when the function returns.
import { setResult, textOf } from "./quidditch";
export { quidditch_alloc } from "./quidditch"; // where the engine lays the text

export function transform(text: usize, n: i32, length: i32): void {
  let end = 0;
  for (; end < n; end++) {
    const isFirst = (load<u8>(text + end) & 0xc0) != 0x80; // of a character's bytes
    if (isFirst && length-- <= 0) break;
  }
  setResult(textOf(text, end));
}
