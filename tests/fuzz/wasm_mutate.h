/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes to WebAssembly modules that keep what is around them whole: bytes change inside one section, or one
 * function's body, and the lengths before it are written anew. Most changes elsewhere end at the first check. */
#ifndef QD_TESTS_WASM_MUTATE_H
#define QD_TESTS_WASM_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As libFuzzer's LLVMFuzzerCustomMutator: changes `data` in place, `size` bytes of room for `max_size`; gives the new
 * size. The same seed, the same change. */
size_t qd_wasm_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
