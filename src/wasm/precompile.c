/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/precompile_impl.h"

#include "wasm/engine_impl.h"
#include "wasm/module_impl.h"

#define MAGIC        "QDAOT\0\0\1"
#define HEADER_BYTES 128
#define AT_KIND      8
#define AT_JOINED    9
#define AT_HASH      16
#define AT_TARGET    80
#define AT_ENGINE    96
#define TARGET_BYTES 16
#define ENGINE_BYTES 32
#define ENGINE       "wasmtime " WASMTIME_VERSION
#define MAX_BYTES    ((size_t)1 << 30)

#if defined(__x86_64__)
#define OWN_TARGET "x86_64"
#elif defined(__aarch64__)
#define OWN_TARGET "aarch64"
#else
#error "native code is made for x86_64 and aarch64"
#endif

typedef struct target {
    const char *name, *triple;
    const char *const *flags; /* ends with NULL */
} target;

static const char *const x86_64_v3[] = {"has_cmpxchg16b", "has_sse3",  "has_ssse3", "has_sse41", "has_sse42",
                                        "has_popcnt",     "has_avx",   "has_avx2",  "has_fma",   "has_bmi1",
                                        "has_bmi2",       "has_lzcnt", NULL};
static const char *const none[] = {NULL};
static const target targets[] = {
    {"x86_64", "x86_64-unknown-linux-gnu", x86_64_v3},
    {"aarch64", "aarch64-unknown-linux-gnu", none},
};
#define N_TARGETS (sizeof targets / sizeof *targets)

const char *qd_precompile_target_at(size_t i)
{
    return i < N_TARGETS ? targets[i].name : NULL;
}

static const target *find_target(const char *name)
{
    for (size_t i = 0; i < N_TARGETS; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    return NULL;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

/* An engine that only compiles. */
static qd_status new_compiler(const target *t, qd_backend_kind kind, wasm_engine_t **out, qd_error *err)
{
    char text[256];
    wasm_config_t *config = qd_wasm_backend_config(kind);
    wasmtime_error_t *error = wasmtime_config_target_set(config, t->triple);
    if (error) {
        wasm_config_delete(config);
        return qd_fail(err, QD_EUDF_COMPILE, "the target '%s' cannot be compiled for: %s", t->name,
                       qd_wasm_error_text(error, text, sizeof text));
    }
    for (const char *const *flag = t->flags; *flag; flag++)
        wasmtime_config_cranelift_flag_enable(config, *flag);
    *out = wasm_engine_new_with_config(config);
    return QD_OK;
}

/* `join` NULL: the module alone. */
static void write_header(const target *t, const qd_wasm_module *m, const qd_join *join, qd_buf *out)
{
    char header[HEADER_BYTES] = {0};
    memcpy(header, MAGIC, sizeof MAGIC - 1);
    header[AT_KIND] = (char)m->best;
    header[AT_JOINED] = join != NULL;
    memcpy(header + AT_HASH, join ? join->hash : m->hash, QD_SHA256_HEX_SIZE - 1);
    strncpy(header + AT_TARGET, t->name, TARGET_BYTES - 1);
    strncpy(header + AT_ENGINE, ENGINE, ENGINE_BYTES - 1);
    qd_buf_add(out, header, sizeof header);
}

/* Joined where that can be, as on the node (make.c). */
static qd_status compile_for(const target *t, const qd_wasm_backend *compiler, const qd_wasm_module *m, qd_buf *out,
                             qd_error *err)
{
    qe_code *joined = NULL, *code = NULL;
    const qd_join *join = m->join;
    qd_status rc = QD_OK;
    if (join && (qd_join_write(join, &joined, NULL) != QD_OK ||
                 qd_wasm_backend_compile(compiler, (const uint8_t *)qd_code_str(joined).p, qd_code_str(joined).n, &code,
                                         NULL) != QD_OK))
        join = NULL;
    if (!join)
        rc = qd_wasm_backend_compile(compiler, m->bytes->p, m->bytes->n, &code, err);
    if (!rc) {
        write_header(t, m, join, out);
        qd_buf_add_str(out, qd_code_str(code));
        rc = out->failed ? qd_fail_nomem(err) : QD_OK;
    }
    qe_code_free(joined);
    qe_code_free(code);
    return rc;
}

qd_status qd_wasm_precompile(const uint8_t *bytes, size_t n, qd_wasm_entry_fn *entry, void *entry_arg,
                             const char *target_name, qd_buf *out, qd_error *err)
{
    const qd_wasm_module_options options = {.permissions = UINT32_MAX, .entry = entry, .entry_arg = entry_arg};
    const target *t = find_target(target_name ? target_name : OWN_TARGET);
    qd_wasm_module *m = NULL;
    qd_wasm_backend compiler = {0};
    if (!t)
        return qd_fail(err, QD_EINVAL, "the target '%.40s' is unknown: expected x86_64 or aarch64", target_name);
    qd_status rc = qd_wasm_module_read(bytes, n, &options, &m, err);
    if (!rc)
        rc = new_compiler(t, m->best, &compiler.wasm, err);
    if (!rc)
        rc = compile_for(t, &compiler, m, out, err);
    qd_wasm_backend_deinit(&compiler);
    qd_wasm_module_unref(m);
    return rc;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

qd_status qd_precompiled_parse(const uint8_t *bytes, size_t n, qd_precompiled *out, qd_error *err)
{
    if (n < HEADER_BYTES || n > MAX_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC - 1) != 0 ||
        (bytes[AT_KIND] != QD_BACKEND_OPTIMIZED && bytes[AT_KIND] != QD_BACKEND_BOUNDED))
        return qd_fail(err, QD_EUDF_COMPILE, "not code made by 'qctl udf compile'");
    *out = (qd_precompiled){.kind = bytes[AT_KIND], .is_joined = bytes[AT_JOINED] != 0};
    memcpy(out->hash, bytes + AT_HASH, sizeof out->hash - 1);
    memcpy(out->target, bytes + AT_TARGET, TARGET_BYTES);
    memcpy(out->engine, bytes + AT_ENGINE, ENGINE_BYTES);
    out->code = (qd_str){(const char *)bytes + HEADER_BYTES, n - HEADER_BYTES};
    return QD_OK;
}

qd_status qd_precompiled_check(const qd_precompiled *p, const qd_wasm_module *m, qd_error *err)
{
    if (p->is_joined && (!m->join || strcmp(p->hash, m->join->hash) != 0))
        return qd_fail(err, QD_EUDF_COMPILE,
                       "it was made from another module, or for another manifest (function_name, abi, kind, "
                       "parameters): compile it again");
    if (!p->is_joined && strcmp(p->hash, m->hash) != 0)
        return qd_fail(err, QD_EUDF_COMPILE, "it was made from another module (SHA-256 %.12s…, the module's is %.12s…)",
                       p->hash, m->hash);
    if (strcmp(p->target, OWN_TARGET) != 0)
        return qd_fail(err, QD_EUDF_COMPILE, "it was made for %s, this node is %s", p->target, OWN_TARGET);
    if (strcmp(p->engine, ENGINE) != 0)
        return qd_fail(err, QD_EUDF_COMPILE, "it was made by %s, this node has %s: compile the module again", p->engine,
                       ENGINE);
    if (p->kind == QD_BACKEND_BOUNDED && m->best != QD_BACKEND_BOUNDED)
        return qd_fail(err, QD_EUDF_COMPILE, "it was made without the checks by which this module can be stopped");
    return QD_OK;
}
