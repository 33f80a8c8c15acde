/* SPDX-License-Identifier: Apache-2.0
 *
 * The guest's functions that were active when a call ended, as text. Their names are the guest's choice: any bytes, of
 * any length. */
#ifndef QD_WASM_FRAMES_H
#define QD_WASM_FRAMES_H

#include "wasm/instance.h"

/* A line for each, innermost first, as qd_error.stack has them; without the driver's, which is ours. A function
 * with dependencies tells each frame's module, by the name that the module gives itself, if it does. In joined code
 * (join.h) the function that the driver calls goes by the export's name; of large modules only names are told. */
void qd_frames_write(const qd_instance *i, const wasm_frame_vec_t *frames, char out[QD_ERROR_STACK_BYTES]);
/* The innermost few of such lines as the end of a sentence: " at inner (func 3, offset 0x1f), called by …". */
void qd_frames_sentence(const char *stack, char *out, size_t size);

#endif
