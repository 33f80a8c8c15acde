/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QD_TESTS_FUZZ_H
#define QD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What each target defines, as libFuzzer wants it. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
