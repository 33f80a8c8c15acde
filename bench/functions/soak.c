/* SPDX-License-Identifier: Apache-2.0
 *
 * A function that allocates: each call takes three blocks of changing sizes, writes into them, and gives two of them
 * back at once and the third a few calls later. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LATER 64

static void *kept[LATER];
static uint32_t calls, seed = 1;

static size_t some_size(uint32_t most)
{
    seed = seed * 1664525u + 1013904223u;
    return 16 + (seed >> 16) % most;
}

__attribute__((export_name("score"))) double score(double x)
{
    size_t n = some_size(200), m = some_size(2000);
    char *a = malloc(n), *b = malloc(m), *c = malloc(some_size(100));
    if (!a || !b || !c)
        __builtin_trap();
    memset(a, (int)calls, n);
    b[0] = b[m - 1] = a[n / 2];
    c[0] = b[m - 1];
    double result = x + (unsigned char)c[0];
    free(a);
    free(b);
    free(kept[calls % LATER]);
    kept[calls++ % LATER] = c;
    return result;
}
