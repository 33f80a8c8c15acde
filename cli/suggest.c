/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <stdbool.h>
#include <string.h>

#define MAX_BYTES 31 /* no command or option is longer */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to change, add, leave out, or exchange with their neighbour (optimal string alignment). */
static size_t distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
    size_t rows[3][MAX_BYTES + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t k = 0; k <= b_n; k++)
        last[k] = k;
    for (size_t i = 1; i <= a_n; i++) {
        now[0] = i;
        for (size_t k = 1; k <= b_n; k++) {
            now[k] = least(last[k - 1] + (a[i - 1] != b[k - 1]), least(last[k], now[k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                now[k] = least(now[k], before[k - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = now;
        now = oldest;
    }
    return last[b_n];
}

void suggest(suggestion *s, const char *typed, size_t typed_n, const char *word)
{
    size_t n = strlen(word);
    if (typed_n > MAX_BYTES || n > MAX_BYTES)
        return;
    size_t d = distance(typed, typed_n, word, n);
    bool is_near = d <= 1 + n / 4 && d < n; /* a typing error in a short word, two in a longer one */
    if (!is_near || (s->word && d >= s->distance))
        return;
    s->word = word;
    s->distance = d;
}
