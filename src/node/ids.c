/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ids.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/hash.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t *in, size_t n, char *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 6; have -= 6)
            *out++ = ALPHABET[bits >> (have - 6) & 63];
    }
    if (have > 0)
        *out++ = ALPHABET[bits << (6 - have) & 63];
    *out = '\0';
}

static uint8_t process_bytes[6];
static bool has_process_bytes;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;
static atomic_uint_least64_t
    last_stamp; /* milliseconds << 24 | count: only grows, so that a clock set back does no harm */

static void draw_process_bytes(void)
{
    has_process_bytes = qd_hash_random(process_bytes, sizeof process_bytes);
}

static uint64_t next_stamp(void)
{
    uint64_t now = (uint64_t)qd_clock_wall_ms() << 24, last = atomic_load_explicit(&last_stamp, memory_order_relaxed),
             next;
    do
        next = last >= now ? last + 1 : now;
    while (
        !atomic_compare_exchange_weak_explicit(&last_stamp, &last, next, memory_order_relaxed, memory_order_relaxed));
    return next;
}

qd_status qd_auto_id(char out[QD_AUTO_ID_SIZE], qd_error *err)
{
    uint8_t bytes[15];
    pthread_once(&process_once, draw_process_bytes);
    if (!has_process_bytes)
        return qd_fail(err, QD_EINTERNAL, "cannot make document ids: the system gave no random bytes");
    uint64_t stamp = next_stamp(), ms = stamp >> 24;
    for (unsigned i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    for (unsigned i = 0; i < 3; i++)
        bytes[6 + i] = (uint8_t)(stamp >> (16 - 8 * i));
    for (unsigned i = 0; i < 6; i++)
        bytes[9 + i] = process_bytes[i];
    encode(bytes, sizeof bytes, out);
    return QD_OK;
}

qd_status qd_uuid_new(char out[QD_UUID_SIZE], qd_error *err)
{
    uint8_t bytes[16];
    if (!qd_hash_random(bytes, sizeof bytes))
        return qd_fail(err, QD_EINTERNAL, "cannot make a unique id: the system gave no random bytes");
    encode(bytes, sizeof bytes, out);
    return QD_OK;
}

bool qd_uuid_is_valid(qd_str s)
{
    if (s.n != QD_UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || !strchr(ALPHABET, s.p[i]))
            return false;
    return true;
}
