/* SPDX-License-Identifier: Apache-2.0
 *
 * A function's manifest as JSON. An error must name a field of it, or say that it is no object. */
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
    } else if (json_is_object(json) && err.field[0] == '\0' && json_object_size(json) > 0) {
        abort();
    }
    qd_manifest_free(m);
    json_decref(json);
    return 0;
}
