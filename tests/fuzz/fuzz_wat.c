/* SPDX-License-Identifier: Apache-2.0
 *
 * A module as text, assembled and then checked as one that was uploaded. */
#include <stdlib.h>

#include "wasm/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *wasm = NULL;
    size_t n = 0;
    qd_error err = QD_ERROR_INIT;
    const qd_wasm_module_options options = {.permissions = QD_PERM_READ_DOCUMENT | QD_PERM_READ_SCORE};
    qd_str text = {(const char *)data, size};
    if (qd_wasm_from_wat(text, &wasm, &n, &err) == QD_OK)
        qd_wasm_module_check(wasm, n, &options, &err);
    free(wasm);
    return 0;
}
