/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/sections.h"

#include "wasm/code.h"
#include "wasm/module.h"

typedef struct reader {
    const uint8_t *p, *end;
} reader;

typedef struct section {
    uint8_t id;
    reader body;
} section;

/* Unsigned LEB128 of at most 64 bits. */
static bool read_uint(reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool read_span(reader *r, reader *out)
{
    uint64_t n;
    if (!read_uint(r, &n) || n > (uint64_t)(r->end - r->p))
        return false;
    *out = (reader){r->p, r->p + n};
    r->p += n;
    return true;
}

static bool read_header(const uint8_t *bytes, size_t n, reader *out)
{
    static const uint8_t magic[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    if (n < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    *out = (reader){bytes + sizeof magic, bytes + n};
    return true;
}

static bool next_section(reader *r, section *out)
{
    if (r->p >= r->end)
        return false;
    out->id = *r->p++;
    return read_span(r, &out->body);
}

/* The minimum of `limits`: a flags byte, then the numbers. */
static uint64_t read_minimum(reader *r)
{
    uint64_t flags, min = 0, max;
    if (!read_uint(r, &flags) || !read_uint(r, &min))
        return 0;
    if (flags & 1 && !read_uint(r, &max))
        return 0;
    return min;
}

static void look_at_tables(reader r, qd_wasm_state *state)
{
    uint64_t count = 0;
    if (!read_uint(&r, &count) || count == 0)
        return;
    state->is_stateless = false;
    for (uint64_t i = 0; i < count && r.p < r.end; i++) {
        r.p++; /* element type: one byte in the features that we accept */
        uint64_t min = read_minimum(&r);
        bool fits = min <= UINT64_MAX - state->table_elements;
        state->table_elements = fits ? state->table_elements + min : UINT64_MAX;
    }
}

static void look_at_memories(reader r, qd_wasm_state *state)
{
    uint64_t count = 0;
    if (!read_uint(&r, &count) || count == 0)
        return;
    state->is_stateless = false;
    state->has_memory = true;
    state->memory_pages = read_minimum(&r);
}

static void look_at_globals(reader r, qd_wasm_state *state)
{
    uint64_t count = 0;
    if (read_uint(&r, &count) && count > 0)
        state->is_stateless = false;
}

qd_wasm_state qd_wasm_state_of(const uint8_t *bytes, size_t n)
{
    qd_wasm_state state = {.is_stateless = true};
    reader r;
    section s;
    if (!read_header(bytes, n, &r))
        return (qd_wasm_state){0};
    while (next_section(&r, &s)) {
        if (s.id == QD_SECTION_TABLE)
            look_at_tables(s.body, &state);
        else if (s.id == QD_SECTION_MEMORY)
            look_at_memories(s.body, &state);
        else if (s.id == QD_SECTION_GLOBAL)
            look_at_globals(s.body, &state);
        else if (s.id == QD_SECTION_CODE)
            state.code_bytes = (uint64_t)(s.body.end - s.body.p);
    }
    return state;
}

bool qd_wasm_next_custom(const uint8_t *bytes, size_t n, const char *name, size_t *at, qd_wasm_custom *out)
{
    reader r, found;
    section s;
    if (!read_header(bytes, n, &r))
        return false;
    if (*at > 0)
        r.p = bytes + *at;
    while (r.p < r.end) {
        const uint8_t *start = r.p;
        if (!next_section(&r, &s))
            return false;
        if (s.id != QD_SECTION_CUSTOM || !read_span(&s.body, &found))
            continue;
        if (qd_str_is((qd_str){(const char *)found.p, (size_t)(found.end - found.p)}, name)) {
            *at = (size_t)(r.p - bytes);
            *out = (qd_wasm_custom){
                (size_t)(start - bytes), *at, {(const char *)s.body.p, (size_t)(s.body.end - s.body.p)}};
            return true;
        }
    }
    return false;
}

bool qd_wasm_custom_section(const uint8_t *bytes, size_t n, const char *name, const uint8_t **data, size_t *data_n)
{
    size_t at = 0;
    qd_wasm_custom found;
    if (!qd_wasm_next_custom(bytes, n, name, &at, &found))
        return false;
    *data = (const uint8_t *)found.data.p;
    *data_n = found.data.n;
    return true;
}

/* ---- the version of the ABI ------------------------------------------------------------------------------------- */

#define ABI_EXPORT "quidditch_abi_version"

enum { KIND_FUNCTION = 0, KIND_GLOBAL = 3 };

static bool read_sint(reader *r, int64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && r->p < r->end;) {
        uint8_t byte = *r->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (byte & 0x80)
            continue;
        if (shift < 64 && byte & 0x40)
            v |= UINT64_MAX << shift;
        *out = (int64_t)v;
        return true;
    }
    return false;
}

/* "i32.const N end", with a "return" between or not. */
static bool read_constant(reader r, int32_t *out)
{
    int64_t v;
    if (r.p >= r.end || *r.p++ != QD_OP_I32_CONST || !read_sint(&r, &v))
        return false;
    if (r.p < r.end && *r.p == QD_OP_RETURN)
        r.p++;
    *out = (int32_t)v;
    return r.p < r.end && *r.p == QD_OP_END;
}

/* The export's kind and index; false: there is none of that name. */
static bool find_abi_export(reader r, uint8_t *kind, uint64_t *index)
{
    uint64_t count;
    reader name;
    if (!read_uint(&r, &count))
        return false;
    for (uint64_t i = 0; i < count && read_span(&r, &name) && r.p < r.end; i++) {
        *kind = *r.p++;
        if (!read_uint(&r, index))
            return false;
        if (qd_str_is((qd_str){(const char *)name.p, (size_t)(name.end - name.p)}, ABI_EXPORT))
            return true;
    }
    return false;
}

/* An immutable i32. Globals before it are stepped over as long as they are plain integers, which is what toolchains
 * make of them. */
static bool read_global(reader r, uint64_t index, int32_t *out)
{
    uint64_t count;
    int64_t skipped;
    if (!read_uint(&r, &count) || index >= count)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        reader code = {r.p + 2, r.end};
        if (r.end - r.p < 3)
            return false;
        if (i == index)
            return r.p[0] == 0x7f && r.p[1] == 0 && read_constant(code, out);
        if (*code.p != QD_OP_I32_CONST && *code.p != QD_OP_I64_CONST)
            return false;
        code.p++;
        if (!read_sint(&code, &skipped) || code.p >= code.end || *code.p++ != QD_OP_END)
            return false;
        r.p = code.p;
    }
    return false;
}

static bool read_function(reader r, uint64_t index, int32_t *out)
{
    uint64_t count;
    reader body;
    if (!read_uint(&r, &count) || index >= count)
        return false;
    for (uint64_t i = 0; i < count && read_span(&r, &body); i++)
        if (i == index)
            return body.p < body.end && *body.p++ == 0 && read_constant(body, out);
    return false;
}

qd_wasm_abi qd_wasm_abi_version(const uint8_t *bytes, size_t n, int32_t *version)
{
    reader r, globals = {0}, code = {0}, exports = {0};
    section s;
    uint64_t imported = 0, index = 0;
    uint8_t kind = 0;
    if (!read_header(bytes, n, &r))
        return QD_WASM_ABI_UNSAID;
    while (next_section(&r, &s)) {
        if (s.id == QD_SECTION_IMPORT)
            (void)read_uint(&s.body, &imported);
        else if (s.id == QD_SECTION_GLOBAL)
            globals = s.body;
        else if (s.id == QD_SECTION_EXPORT)
            exports = s.body;
        else if (s.id == QD_SECTION_CODE)
            code = s.body;
    }
    if (!exports.p || !find_abi_export(exports, &kind, &index))
        return QD_WASM_ABI_UNSAID;
    bool is_read = kind == KIND_GLOBAL ? globals.p && read_global(globals, index, version)
                   : kind == KIND_FUNCTION
                       ? code.p && index >= imported && read_function(code, index - imported, version)
                       : false;
    return is_read ? QD_WASM_ABI_SAID : QD_WASM_ABI_UNREADABLE;
}
