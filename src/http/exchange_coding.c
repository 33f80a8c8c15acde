/* SPDX-License-Identifier: Apache-2.0
 *
 * Packed bodies, both ways; a worker of a pool does it. */
#include "http/coding.h"
#include "http/exchange.h"

/* What fits into one packet gains nothing. */
#define MIN_PACKED_BYTES 1400
/* A longer answer would hold its worker for a second. */
#define MAX_PACKED_BYTES ((size_t)64 << 20)

qd_status qd_exchange_check_coding(qd_exchange *x)
{
    const char *text = qd_exchange_header(x, "Content-Encoding");
    if (!text || qd_coding_parse(qd_str_of(text), &x->coding))
        return QD_OK;
    qd_fail(&x->refusal, QD_EINVAL,
            "Content-Encoding header [%s] is not supported: send [gzip], [deflate] or the body as it is", text);
    return qd_exchange_refuse(x, QD_EINVAL, 415);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

static qd_status check_unpacked(void *arg, const qd_buf *out, qd_error *err)
{
    qd_exchange *x = arg;
    if (__atomic_load_n(&x->rq.canceled, __ATOMIC_RELAXED))
        return qd_fail(err, QD_ECANCELED, "the client closed its connection while its request was unpacked");
    return qd_exchange_account(x, x->body.cap + out->cap, err);
}

qd_status qd_exchange_unpack(qd_exchange *x, qd_error *err)
{
    qd_buf plain;
    if (x->coding == QD_CODING_NONE || x->body.n == 0 || x->rq.route->body == QD_BODY_NONE)
        return QD_OK;
    qd_buf_init(&plain, x->body.max);
    qd_status status = qd_unpack(x->coding, qd_buf_str(&x->body), &plain, check_unpacked, x, err);
    if (status == QD_ETOOLARGE)
        qd_fail(err, status, "the request body has more than %zu bytes when it is unpacked, the limit (%s)", plain.max,
                qd_exchange_limit_key(x));
    /* Packed or not, it is not needed any more. */
    qd_buf_deinit(&x->body);
    if (status == QD_OK)
        x->body = plain;
    else
        qd_buf_deinit(&plain);
    x->rq.body = qd_buf_str(&x->body);
    (void)qd_exchange_account(x, x->body.cap, NULL); /* less than before */
    return status;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

/* Text; a module has been chosen for its size, and its ETag is of its bytes. */
static bool is_text(const char *type)
{
    return strncmp(type, "application/json", 16) == 0 || strncmp(type, "text/", 5) == 0;
}

void qd_exchange_pack(qd_exchange *x)
{
    qd_buf *out = &x->rq.out, packed;
    int level = x->server->options.compression_level;
    if (level == 0 || out->failed || out->n < MIN_PACKED_BYTES || out->n > MAX_PACKED_BYTES ||
        !is_text(x->rq.answer_type))
        return;
    x->varies = true;
    if (!x->wants_gzip)
        return;
    qd_buf_init(&packed, out->n);
    if (!qd_pack_gzip(qd_buf_str(out), level, &packed)) {
        qd_buf_deinit(&packed);
        return;
    }
    packed.max = out->max; /* which takes one byte more, to end in NUL */
    qd_buf_deinit(out);
    *out = packed;
    x->is_packed = true;
}
