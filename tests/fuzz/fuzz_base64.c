/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *out = NULL;
    size_t n = 0;
    if (!qd_base64_decode((qd_str){(const char *)data, size}, &out, &n))
        return 0;
    if (size % 4 != 0 || n > size / 4 * 3)
        abort();
    char hex[QD_SHA256_HEX_SIZE];
    if (!qd_hash_sha256_hex(out, n, hex)) /* reads all that it says it has */
        abort();
    free(out);
    return 0;
}
