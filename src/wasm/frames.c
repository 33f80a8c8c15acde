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

/* "name (func 3, offset 0x1f, module geo)"; returns its length, which is below `size`. */
static size_t write_frame(const wasm_frame_t *frame, const wasm_name_t *name, const wasm_name_t *module, char *out,
                          size_t size)
{
    char function[FUNCTION_BYTES], of[MODULE_BYTES], place[FRAME_BYTES];
    copy_name(name, function, sizeof function);
    copy_name(module, of, sizeof of);
    bool has_name = *function != 0;
    int n = snprintf(place, sizeof place, "%sfunc %u, offset 0x%zx%s%s%s", has_name ? " (" : "",
                     wasm_frame_func_index(frame), wasm_frame_module_offset(frame), *of ? ", module " : "", of,
                     has_name ? ")" : "");
    size_t room = size - 1 - (size_t)n;
    n = snprintf(out, size, "%.*s%s", (int)room, function, place);
    return (size_t)n;
}

void qd_frames_write(const qd_instance *i, const wasm_frame_vec_t *frames, char out[QD_ERROR_STACK_BYTES])
{
    size_t n = frames->size, used = 0;
    if (n > 0 && i->is_at_row) /* the outermost is the driver's */
        n--;
    /* A stripped module has lost its functions' names, but for that of the export that was called. */
    const wasm_name_t calling = {i->calling ? strlen(i->calling) : 0, (char *)i->calling};
    bool has_modules = i->program->module->links.n > 0;
    size_t shown = n < QD_ERROR_STACK_FRAMES ? n : QD_ERROR_STACK_FRAMES;
    out[0] = 0;
    for (size_t k = 0; k < shown; k++) {
        const wasm_frame_t *f = frames->data[k];
        const wasm_name_t *name = wasmtime_frame_func_name(f);
        const wasm_name_t *module = has_modules ? wasmtime_frame_module_name(f) : NULL;
        size_t room = QD_ERROR_STACK_BYTES - used - FRAME_BYTES * (shown - k - 1);
        if (k > 0)
            out[used++] = '\n';
        used += write_frame(f, name || k + 1 < n ? name : &calling, module, out + used, room - (k > 0));
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
