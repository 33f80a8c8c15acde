/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's manifest as JSON. An error must say something that is text. */
#include <stdlib.h>

#include "udf/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = NULL;
    qd_manifest *m = NULL;
    qd_error err = QD_ERROR_INIT;
    if (qd_json_parse((qd_str){(const char *)data, size}, &json, &err) != QD_OK)
        return 0;
    if (qd_manifest_parse(json, &m, &err) == QD_OK) {
        if (m->name.n == 0 || m->version.n == 0 || m->n_params > 64)
            abort();
    } else if (err.message[0] == '\0' || !qd_str_is_utf8(qd_str_of(err.message))) {
        abort();
    }
    qd_manifest_free(m);
    json_decref(json);
    return 0;
}
