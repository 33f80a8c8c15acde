/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf compile`: native code ahead of time, for this or another machine. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "command.h"
#include "registration.h"
#include "save.h"
#include "text.h"
#include "udf/precompile.h"
#include "wasm/engine.h"

#define MAX_CODE_BYTES ((size_t)1 << 30)

/* "geo.wasm" or "geo.wat" gives "geo.cwasm". */
static void add_name(const char *module_path, qd_buf *out)
{
    size_t n = strlen(module_path);
    const char *dot = strrchr(module_path, '.'), *slash = strrchr(module_path, '/');
    qd_buf_add(out, module_path, dot && (!slash || dot > slash) ? (size_t)(dot - module_path) : n);
    qd_buf_add_z(out, ".cwasm");
    qd_buf_add_char(out, '\0');
}

static qd_status compile(const registration *r, const char *target, qd_buf *out, qd_error *err)
{
    uint8_t *assembled = NULL;
    const uint8_t *wasm = (const uint8_t *)r->module.p;
    size_t n = r->module.n;
    qd_status rc = QD_OK;
    if (r->is_text) {
        rc = qd_wasm_from_wat(qd_buf_str(&r->module), &assembled, &n, err);
        wasm = assembled;
    }
    if (!rc)
        rc = qd_udf_precompile(r->manifest, wasm, n, target, out, err);
    free(assembled);
    return rc;
}

static void print_compiled(const registration *r, const char *target, const char *path, size_t n, int64_t ns)
{
    char from[TEXT_SIZE], to[TEXT_SIZE], ms[TEXT_SIZE];
    printf("compiled %s (%s) for %s into %s (%s) in %s\n", r->module_path, text_bytes((int64_t)r->module.n, from),
           target ? target : "this machine", path, text_bytes((int64_t)n, to), text_ms((double)ns / 1e6, ms));
}

qd_status udf_compile(qctl *q, const args *a, qd_error *err)
{
    const char *target = args_text(a, "target", NULL);
    registration r;
    qd_buf code, name;
    qd_status rc = registration_load(&r, a->words[0], a, err);
    if (rc)
        return rc;
    qd_buf_init(&code, MAX_CODE_BYTES);
    qd_buf_init(&name, 4096);
    add_name(r.module_path, &name);
    int64_t start = qd_clock_mono_ns();
    rc = name.failed ? qd_fail(err, QD_EINVAL, "the module's path is too long") : compile(&r, target, &code, err);
    int64_t ns = qd_clock_mono_ns() - start;
    const char *path = args_text(a, "out", name.p);
    if (!rc)
        rc = save_over(path, qd_buf_str(&code), err);
    if (!rc && !q->is_quiet)
        print_compiled(&r, target, path, code.n, ns);
    qd_buf_deinit(&name);
    qd_buf_deinit(&code);
    registration_deinit(&r);
    return rc;
}
