/* SPDX-License-Identifier: Apache-2.0
 *
 * A transform that gives a text, in the typed shape: a text among the arguments is two, where its bytes begin and how
 * many they are. They are UTF-8, never terminated, and gone when the function returns.
 */
#include "quidditch.h"

QD_EXPORT(transform) void transform(const char *text, uint32_t n, int32_t length)
{
    uint32_t end = 0;
    for (; end < n; end++)
        if (((uint8_t)text[end] & 0xC0) != 0x80 && length-- <= 0) /* the first byte of a character too many */
            break;
    qd_host_set_result_string(text, end);
}
