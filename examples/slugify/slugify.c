/* SPDX-License-Identifier: Apache-2.0
 *
 * A transform that returns a string: "Crème Brûlée, 2 ways" becomes "creme-brulee-2-ways".
 *
 * ASCII letters and digits stay, in lower case; Latin letters with marks (U+00C0 to U+017F) lose them; everything else
 * parts words. The typed shape: the text comes as (pointer, length). */
#include "quidditch.h"

#define MAX_BYTES 200

/* U+00C0 to U+017F, each as one letter, '*' where it parts words or has two letters (below). */
static const char LETTERS[] = "aaaaaa*ceeeeiiiidnooooo*ouuuuy**aaaaaa*ceeeeiiiidnooooo*ouuuuy*y"
                              "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii**jjkkklllllllll"
                              "lnnnnnnnnnoooooo**rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
_Static_assert(sizeof LETTERS - 1 == 0x180 - 0xc0, "a letter for each");

static const struct {
    uint32_t code;
    const char *letters;
} PAIRS[] = {{0xc6, "ae"}, {0xe6, "ae"}, {0xde, "th"}, {0xfe, "th"},  {0xdf, "ss"},
             {0x132, "ij"}, {0x133, "ij"}, {0x152, "oe"}, {0x153, "oe"}};

/* What a character becomes; "" parts words. `one` holds a single letter. */
static const char *fold(uint32_t c, char one[2])
{
    if (c >= 'A' && c <= 'Z')
        c += 'a' - 'A';
    one[0] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? (char)c : 0;
    if (c >= 0xc0 && c < 0x180 && LETTERS[c - 0xc0] != '*')
        one[0] = LETTERS[c - 0xc0];
    one[1] = 0;
    for (uint32_t i = 0; one[0] == 0 && i < sizeof PAIRS / sizeof *PAIRS; i++)
        if (PAIRS[i].code == c)
            return PAIRS[i].letters;
    return one;
}

/* The character at text[*i], which is UTF-8; *i goes behind it. */
static uint32_t next(const uint8_t *text, uint32_t n, uint32_t *i)
{
    uint32_t c = text[(*i)++], more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    c &= more ? 0x3fu >> more : 0x7fu;
    for (; more > 0 && *i < n; more--)
        c = c << 6 | (text[(*i)++] & 0x3fu);
    return c;
}

QD_EXPORT(slugify) void slugify(const uint8_t *text, uint32_t n)
{
    static char slug[MAX_BYTES];
    uint32_t used = 0;
    int is_apart = 0;
    for (uint32_t i = 0; i < n;) {
        char one[2];
        const char *letters = fold(next(text, n, &i), one);
        if (!letters[0]) {
            is_apart = used > 0;
            continue;
        }
        if (used + 3 > MAX_BYTES)
            break;
        if (is_apart)
            slug[used++] = '-';
        is_apart = 0;
        for (; *letters; letters++)
            slug[used++] = *letters;
    }
    if (used > 0)
        qd_host_set_result_string(slug, used);
}
