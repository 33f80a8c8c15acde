/* SPDX-License-Identifier: Apache-2.0 */
#include "wasm/frames.h"

#include <stdio.h>

#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

#define FUNCTION_BYTES  65
#define MODULE_BYTES    25
#define SENTENCE_FRAMES 6
/* The room that is left for each frame, however long the names of those before it: a cut name and all else. */
#define FRAME_BYTES (QD_ERROR_STACK_BYTES / QD_ERROR_STACK_FRAMES)
_Static_assert(FRAME_BYTES >= sizeof " (func 4294967295, offset 0xffffffffffffffff, module )" + MODULE_BYTES,
               "a frame fits its room without its name");

/* Only what prints goes into a message: no line breaks, no escape sequences of terminals. */
static void copy_name(const wasm_name_t *name, char *out, size_t size)
{
    size_t n = 0;
    for (; name && n < name->size && n + 1 < size; n++) {
        unsigned char c = (unsigned char)name->data[n];
        out[n] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[n] = 0;
}

/* A frame in the guest's terms. */
typedef struct place {
    const wasm_frame_t *frame;
    uint32_t function;
    size_t offset;
    bool is_known; /* else only its name is */
} place;

static bool is_named(const wasm_frame_t *frame, const char *what)
{
    const wasm_name_t *name = wasmtime_frame_func_name(frame);
    return name && name->size == strlen(what) && memcmp(name->data, what, name->size) == 0;
}

/* False: it is ours. In joined code the guest's functions have other numbers and offsets, and the one that the driver
 * calls may be part of it. */
static bool locate(const qd_instance *i, const wasm_frame_t *frame, place *out)
{
    qd_join *join = i->native->join;
    *out = (place){frame, wasm_frame_func_index(frame), wasm_frame_module_offset(frame), true};
    if (!join || i->program->module->links.n > 0)
        return true;
    out->is_known = qd_join_locate(join, out->offset, &out->function, &out->offset);
    return out->is_known || join->guest->n > QD_JOIN_MAX_MAPPED;
}

/* Returns how many there are. */
static size_t locate_all(const qd_instance *i, const wasm_frame_vec_t *frames, place out[QD_ERROR_STACK_FRAMES])
{
    /* The outermost is the driver's, when it stands alone. */
    size_t end = frames->size > 0 && i->is_at_row && !i->is_joined ? frames->size - 1 : frames->size, n = 0;
    for (size_t k = 0; k < end && n < QD_ERROR_STACK_FRAMES; k++)
        n += locate(i, frames->data[k], &out[n]);
    return n;
}

/* "name (func 3, offset 0x1f, module geo)"; returns its length, which is below `size`. */
static size_t write_frame(const place *p, const wasm_name_t *name, const wasm_name_t *module, char *out, size_t size)
{
    char function[FUNCTION_BYTES], of[MODULE_BYTES], where[FRAME_BYTES] = "";
    copy_name(name, function, sizeof function);
    copy_name(module, of, sizeof of);
    bool has_name = *function != 0;
    int n = 0;
    if (p->is_known)
        n = snprintf(where, sizeof where, "%sfunc %u, offset 0x%zx%s%s%s", has_name ? " (" : "", p->function, p->offset,
                     *of ? ", module " : "", of, has_name ? ")" : "");
    size_t room = size - 1 - (size_t)n;
    n = snprintf(out, size, "%.*s%s", (int)room, has_name || p->is_known ? function : "?", where);
    return (size_t)n;
}

void qd_frames_write(const qd_instance *i, const wasm_frame_vec_t *frames, char out[QD_ERROR_STACK_BYTES])
{
    place places[QD_ERROR_STACK_FRAMES];
    size_t n = locate_all(i, frames, places), used = 0;
    /* A stripped module has lost its functions' names, but for that of the export that was called. */
    const wasm_name_t calling = {i->calling ? strlen(i->calling) : 0, (char *)i->calling};
    bool has_modules = i->program->module->links.n > 0;
    out[0] = 0;
    for (size_t k = 0; k < n; k++) {
        const wasm_frame_t *f = places[k].frame;
        bool is_last = k + 1 == n, is_drivers = is_last && i->is_joined && is_named(f, QD_JOIN_DRIVER);
        const wasm_name_t *name = is_drivers ? NULL : wasmtime_frame_func_name(f);
        const wasm_name_t *module = has_modules ? wasmtime_frame_module_name(f) : NULL;
        size_t room = QD_ERROR_STACK_BYTES - used - FRAME_BYTES * (n - k - 1);
        if (k > 0)
            out[used++] = '\n';
        used += write_frame(&places[k], name || !is_last ? name : &calling, module, out + used, room - (k > 0));
    }
}

void qd_frames_sentence(const char *stack, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (int k = 0; *stack && k <= SENTENCE_FRAMES; k++) {
        size_t length = strcspn(stack, "\n");
        int n = k == SENTENCE_FRAMES
                    ? snprintf(out + used, size - used, ", …")
                    : snprintf(out + used, size - used, "%s%.*s", k == 0 ? " at " : ", called by ", (int)length, stack);
        if ((size_t)n >= size - used) { /* whole frames only */
            out[used] = 0;
            return;
        }
        used += (size_t)n;
        stack += length + (stack[length] == '\n');
    }
}
