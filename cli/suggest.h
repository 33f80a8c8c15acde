/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody most likely meant by a word that is not known. */
#ifndef QCTL_SUGGEST_H
#define QCTL_SUGGEST_H

#include <stddef.h>

typedef struct suggestion {
    const char *word; /* the nearest so far; NULL: none is near */
    size_t distance;
} suggestion;

/* Looks at one more word that would be right; kept. The nearest stays, of several the first. */
void suggest(suggestion *s, const char *typed, size_t typed_n, const char *word);

#endif
