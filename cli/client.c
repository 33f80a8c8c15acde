/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>

#define MAX_ANSWER_BYTES ((size_t)512 << 20)

struct client {
    CURL *curl;
    char *url; /* without a slash at the end */
    char curl_error[CURL_ERROR_SIZE];
};

qd_status client_new(const char *url, client **out, qd_error *err)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return qd_fail(err, QD_EINVAL, "the server's address must start with http:// or https://, got '%s'", url);
    qd_status rc = QD_ENOMEM;
    client *c = calloc(1, sizeof *c);
    if (!c || !(c->url = strdup(url)) || !(c->curl = curl_easy_init())) {
        qd_fail_nomem(err);
        goto done;
    }
    for (size_t n = strlen(c->url); n > 0 && c->url[n - 1] == '/'; n--)
        c->url[n - 1] = '\0';
    *out = QD_TAKE(c);
    rc = QD_OK;
done:
    client_free(c);
    return rc;
}

void client_free(client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->curl);
    free(c->url);
    free(c);
}

void answer_deinit(answer *a)
{
    qd_buf_deinit(&a->body);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    answer *a = arg;
    qd_buf_add(&a->body, data, size * n);
    return a->body.failed ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    static const char name[] = "retry-after:";
    answer *a = arg;
    size_t total = size * n;
    char value[16] = ""; /* the line has no NUL of its own */
    if (total >= sizeof name && strncasecmp(data, name, sizeof name - 1) == 0) {
        size_t rest = total - (sizeof name - 1);
        memcpy(value, data + sizeof name - 1, rest < sizeof value ? rest : sizeof value - 1);
        long s = strtol(value, NULL, 10);
        a->retry_after_s = s > 0 && s < 3600 ? s : 0;
    }
    return total;
}

static bool add_parts(curl_mime *form, const request *rq)
{
    for (size_t i = 0; i < rq->n_parts; i++) {
        const form_part *p = &rq->parts[i];
        curl_mimepart *part = curl_mime_addpart(form);
        if (!part || curl_mime_name(part, p->name) || curl_mime_data(part, p->data.p, p->data.n))
            return false;
        if ((p->filename && curl_mime_filename(part, p->filename)) ||
            (p->content_type && curl_mime_type(part, p->content_type)))
            return false;
    }
    return true;
}

static qd_status describe_failure(const client *c, CURLcode code, const answer *a, qd_error *err)
{
    if (code == CURLE_OUT_OF_MEMORY)
        return qd_fail_nomem(err);
    if (code == CURLE_WRITE_ERROR && a->body.failed)
        return qd_fail(err, QD_ETOOLARGE, "the answer of %s is larger than %zu MiB", c->url, MAX_ANSWER_BYTES >> 20);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        return qd_fail(err, QD_EIO,
                       "cannot reach %s: start quidditchd, or name its address with --url or QCTL_URL (%s)", c->url,
                       c->curl_error[0] ? c->curl_error : curl_easy_strerror(code));
    }
    return qd_fail(err, QD_EIO, "talking to %s: %s", c->url,
                   c->curl_error[0] ? c->curl_error : curl_easy_strerror(code));
}

static void set_common(client *c, answer *out)
{
    curl_easy_reset(c->curl); /* keeps the connection */
    c->curl_error[0] = '\0';
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->curl_error);
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "qctl");
    if (!getenv("no_proxy") && !getenv("NO_PROXY"))
        curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, out);
}

static void set_body(client *c, const request *rq, curl_mime *form)
{
    if (form) {
        curl_easy_setopt(c->curl, CURLOPT_MIMEPOST, form);
    } else if (rq->body.p) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body.n);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, rq->body.p);
    } else if (strcmp(rq->method, "POST") == 0) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
    }
}

qd_status client_send(client *c, const request *rq, answer *out, qd_error *err)
{
    qd_status rc = QD_ENOMEM;
    curl_mime *form = NULL;
    struct curl_slist *headers = NULL, *more;
    char type[96];
    qd_buf url;
    qd_buf_init(&url, 64 << 10);
    memset(out, 0, sizeof *out);
    qd_buf_init(&out->body, MAX_ANSWER_BYTES);

    qd_buf_addf(&url, "%s%s", c->url, rq->path);
    qd_buf_add_char(&url, '\0');
    /* No "Expect: 100-continue": it costs a round trip on every large body. */
    headers = curl_slist_append(NULL, "Expect:");
    if (url.failed || !headers) {
        qd_fail_nomem(err);
        goto done;
    }
    set_common(c, out);
    if (rq->n_parts) {
        form = curl_mime_init(c->curl);
        if (!form || !add_parts(form, rq)) {
            qd_fail_nomem(err);
            goto done;
        }
    } else if (rq->body.p) {
        snprintf(type, sizeof type, "Content-Type: %s", rq->content_type ? rq->content_type : "application/json");
        if (!(more = curl_slist_append(headers, type))) {
            qd_fail_nomem(err);
            goto done;
        }
        headers = more;
    }
    set_body(c, rq, form);
    curl_easy_setopt(c->curl, CURLOPT_URL, url.p);
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, rq->method);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);

    CURLcode code = curl_easy_perform(c->curl);
    if (code) {
        rc = describe_failure(c, code, out, err);
        goto done;
    }
    curl_off_t us = 0;
    curl_easy_getinfo(c->curl, CURLINFO_TOTAL_TIME_T, &us);
    out->ms = (double)us / 1000;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &out->http_status);
    rc = QD_OK;
done:
    curl_mime_free(form);
    curl_slist_free_all(headers);
    qd_buf_deinit(&url);
    if (rc)
        answer_deinit(out);
    return rc;
}

static void add_escaped(qd_buf *path, qd_str s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (size_t i = 0; i < s.n; i++) {
        if (strchr(plain, s.p[i]))
            qd_buf_add_char(path, s.p[i]);
        else
            qd_buf_addf(path, "%%%02X", (unsigned)(unsigned char)s.p[i]);
    }
}

void path_add(qd_buf *path, const char *text)
{
    add_escaped(path, qd_str_of(text));
}

void path_add_function(qd_buf *path, const char *spec)
{
    const char *at = strchr(spec, '@');
    qd_buf_add_z(path, "/api/v1/udfs/");
    add_escaped(path, (qd_str){spec, at ? (size_t)(at - spec) : strlen(spec)});
    if (at) {
        qd_buf_add_char(path, '/');
        path_add(path, at + 1);
    }
}

void path_add_query(qd_buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    bool is_first = !path->p || !memchr(path->p, '?', path->n);
    qd_buf_addf(path, "%c%s=", is_first ? '?' : '&', name);
    path_add(path, value);
}
