/* SPDX-License-Identifier: Apache-2.0
 *
 * `index load`: newline-delimited JSON documents to _bulk, in batches, in order. A document that is refused is
 * reported by its line; what the server is too busy for (429, for a request or for an item) is sent again, later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "answer.h"
#include "base/clock.h"
#include "base/json.h"
#include "progress.h"
#include "text.h"

#define MAX_LINE_BYTES ((size_t)64 << 20)
#define MAX_BATCH_BYTES                                                                                                \
    ((size_t)8 << 20) /* a batch is sent before it passes this, but for a single larger document                       \
                       */
#define MAX_TRIES       12
#define FIRST_WAIT_MS   100
#define LONGEST_WAIT_MS 5000
#define SHOWN_FAILURES  20

typedef struct item {
    size_t start, end; /* in the batch's text: action and document */
    uint64_t line;     /* in the file, from 1 */
} item;

typedef struct loader {
    qctl *q;
    const char *id_field;
    char *path;
    qd_buf text;
    item *items;
    size_t n_items, max_items;
    uint64_t line, loaded, failed, first_failed_line;
    int64_t bytes;
    qd_status first_failure;
    char first_message[256];
    progress bar;
} loader;

static void add_id(qd_buf *out, qd_str id)
{
    qd_json w;
    qd_json_init(&w, out, false);
    qd_json_str(&w, id);
}

/* The action line. With --id-field the document is parsed for it; else it goes as it is and the server parses it. */
static qd_status add_action(loader *l, qd_str doc, qd_error *err)
{
    json_t *v = NULL;
    qd_status rc;
    qd_buf number;
    if (!l->id_field) {
        qd_buf_add_z(&l->text, "{\"index\":{}}\n");
        return QD_OK;
    }
    qd_error why = QD_ERROR_INIT;
    if ((rc = qd_json_parse(doc, &v, &why)))
        return qd_fail(err, rc, "%s", why.message);
    const json_t *id = json_at(v, l->id_field);
    qd_buf_init(&number, 64);
    if (json_is_integer(id))
        qd_buf_addf(&number, "%lld", (long long)json_integer_value(id));
    qd_buf_add_z(&l->text, "{\"index\":{\"_id\":");
    if (json_is_string(id) && json_string_length(id))
        add_id(&l->text, (qd_str){json_string_value(id), json_string_length(id)});
    else if (json_is_integer(id))
        add_id(&l->text, qd_buf_str(&number));
    else
        rc = qd_fail(err, QD_EINVAL, "field '%s' is no id: expected a string or a whole number, got %s", l->id_field,
                     id ? qd_json_type_name(id) : "nothing");
    qd_buf_add_z(&l->text, "}}\n");
    qd_buf_deinit(&number);
    json_decref(v);
    return rc;
}

static void note_failure(loader *l, const item *it, const char *id, qd_status code, const char *type,
                         const char *reason)
{
    if (l->failed++ == 0 || it->line < l->first_failed_line) {
        l->first_failure = code;
        l->first_failed_line = it->line;
        snprintf(l->first_message, sizeof l->first_message, "line %llu: %s", (unsigned long long)it->line, reason);
    }
    if (l->failed > SHOWN_FAILURES)
        return;
    progress_end(&l->bar);
    fprintf(stderr, "line %llu%s%s%s: %s: %s\n", (unsigned long long)it->line, *id ? " (id '" : "", id, *id ? "')" : "",
            type, reason);
}

/* Keeps in the batch what has to be sent again; the rest is counted. Errors: QD_EIO when the answer does not fit the
 * request. */
static qd_status sort_out(loader *l, const json_t *v, qd_error *err)
{
    const json_t *answers = json_at(v, "items");
    size_t kept = 0, end = 0;
    if (json_array_size(answers) != l->n_items)
        return qd_fail(err, QD_EIO, "_bulk answered for %zu documents of %zu", json_array_size(answers), l->n_items);
    for (size_t i = 0; i < l->n_items; i++) {
        const json_t *r = json_object_iter_value(json_object_iter(json_array_get(answers, i)));
        int64_t http_status = json_i64_at(r, "status");
        item it = l->items[i];
        if (http_status == 429) {
            size_t n = it.end - it.start;
            memmove(l->text.p + end, l->text.p + it.start, n);
            l->items[kept++] = (item){end, end + n, it.line};
            end += n;
        } else if (http_status >= 300) {
            const char *type = json_text_at(r, "error.type");
            note_failure(l, &it, json_text_at(r, "_id"), status_of(type, (long)http_status), type,
                         json_text_at(r, "error.reason"));
        } else {
            l->loaded++;
        }
    }
    l->text.n = end;
    l->n_items = kept;
    return QD_OK;
}

static void wait_before_retry(int try, long retry_after_s)
{
    int64_t ms = (int64_t)FIRST_WAIT_MS << (try < 10 ? try : 10);
    if (ms > LONGEST_WAIT_MS)
        ms = LONGEST_WAIT_MS;
    if (retry_after_s > 0 && ms < retry_after_s * 1000)
        ms = retry_after_s * 1000;
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static qd_status send_batch(loader *l, qd_error *err)
{
    qctl quiet = *l->q; /* the answers of batches are not shown */
    quiet.is_json = false;
    for (int try = 0; l->n_items > 0; try++) {
        answer reply;
        json_t *v = NULL;
        request rq = {
            .method = "POST", .path = l->path, .content_type = "application/x-ndjson", .body = qd_buf_str(&l->text)};
        qd_status rc = call(&quiet, &rq, &reply, &v, err);
        long retry_after_s = reply.retry_after_s; /* set on errors too */
        if (!rc) {
            rc = sort_out(l, v, err);
            answer_deinit(&reply);
            json_decref(v);
        }
        if (rc && rc != QD_EBUSY)
            return rc;
        if (l->n_items > 0 && try + 1 == MAX_TRIES)
            return qd_fail(err, QD_EBUSY, "the server is too busy: line %llu was refused %d times",
                           (unsigned long long)l->items[0].line, MAX_TRIES);
        if (l->n_items > 0)
            wait_before_retry(try, retry_after_s);
    }
    qd_buf_clear(&l->text);
    progress_show(&l->bar, l->bytes, (int64_t)l->loaded);
    return QD_OK;
}

static qd_status add_document(loader *l, qd_str doc, qd_error *err)
{
    qd_status rc;
    qd_error why = QD_ERROR_INIT;
    if (l->n_items == l->max_items || (l->n_items && l->text.n + doc.n > MAX_BATCH_BYTES)) {
        if ((rc = send_batch(l, err)))
            return rc;
    }
    item it = {l->text.n, 0, l->line};
    if ((rc = add_action(l, doc, &why))) {
        l->text.n = it.start;
        note_failure(l, &it, "", rc, "not sent", why.message);
        return QD_OK;
    }
    qd_buf_add_str(&l->text, doc);
    qd_buf_add_char(&l->text, '\n');
    it.end = l->text.n;
    if (l->text.failed)
        return qd_fail(err, QD_ETOOLARGE, "line %llu: a document may have %zu MiB", (unsigned long long)l->line,
                       MAX_LINE_BYTES >> 20);
    l->items[l->n_items++] = it;
    return QD_OK;
}

static qd_status load_lines(loader *l, FILE *f, const char *name, qd_error *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    qd_status rc = QD_OK;
    while (!rc && (errno = 0, n = getline(&line, &cap, f)) >= 0) {
        l->line++;
        l->bytes += n;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
            n--;
        if (n > 0)
            rc = add_document(l, (qd_str){line, (size_t)n}, err);
    }
    if (!rc && ferror(f))
        rc = qd_fail(err, QD_EIO, "cannot read '%s': %s", name, strerror(errno));
    free(line);
    return rc ? rc : send_batch(l, err);
}

static qd_status refresh(loader *l, const char *index, qd_error *err)
{
    answer reply;
    qctl quiet = *l->q;
    qd_buf path;
    quiet.is_json = false;
    qd_buf_init(&path, 4096);
    qd_buf_add_char(&path, '/');
    path_add(&path, index);
    qd_buf_add(&path, "/_refresh", sizeof "/_refresh");
    request rq = {.method = "POST", .path = path.p};
    qd_status rc = path.failed ? qd_fail_nomem(err) : call(&quiet, &rq, &reply, NULL, err);
    qd_buf_deinit(&path);
    if (!rc)
        answer_deinit(&reply);
    return rc;
}

static void report(const loader *l, const char *index, double ms)
{
    char count[TEXT_SIZE], rate[TEXT_SIZE], took[TEXT_SIZE];
    int64_t per_s = ms > 0 ? (int64_t)((double)l->loaded / ms * 1000) : 0;
    if (l->q->is_json) {
        json_t *v = json_pack("{s:s, s:I, s:I, s:f, s:I}", "index", index, "loaded", (json_int_t)l->loaded, "failed",
                              (json_int_t)l->failed, "took_ms", ms, "documents_per_second", (json_int_t)per_s);
        json_dumpf(v, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(v);
    } else if (!l->q->is_quiet) {
        printf("loaded %s documents into %s in %s (%s/s)\n", text_count((int64_t)l->loaded, count), index,
               text_ms(ms, took), text_count(per_s, rate));
    }
}

qd_status index_load(qctl *q, const args *a, qd_error *err)
{
    const char *index = a->words[0], *name = a->words[1];
    loader l = {.q = q, .id_field = args_text(a, "id-field", NULL), .max_items = 5000};
    FILE *f = NULL;
    struct stat st;
    qd_buf path;
    int64_t batch = 5000;
    qd_status rc = args_i64(a, "batch", 1, 100000, &batch, err);
    if (rc)
        return rc;
    l.max_items = (size_t)batch;
    qd_buf_init(&l.text, MAX_BATCH_BYTES + MAX_LINE_BYTES);
    qd_buf_init(&path, 4096);
    qd_buf_add_char(&path, '/');
    path_add(&path, index);
    qd_buf_add_z(&path, "/_bulk");
    l.path = qd_buf_take(&path, NULL);
    l.items = calloc(l.max_items, sizeof *l.items);
    f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (!f) {
        rc = qd_fail(err, QD_EIO, "cannot open '%s': %s", name, strerror(errno));
        goto done;
    }
    if (!l.path || !l.items) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    bool is_sized = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode);
    int64_t start_ns = qd_clock_mono_ns();
    progress_begin(&l.bar, is_sized ? st.st_size : 0, q->is_quiet);
    rc = load_lines(&l, f, name, err);
    if (!rc && !args_has(a, "no-refresh"))
        rc = refresh(&l, index, err);
    progress_end(&l.bar);
    if (rc) {
        qd_error_prefix(err, "after %llu documents: ", (unsigned long long)l.loaded);
        goto done;
    }
    report(&l, index, (double)(qd_clock_mono_ns() - start_ns) / 1e6);
    if (l.failed)
        rc = qd_fail(err, l.first_failure, "%llu documents were refused; the first: %s", (unsigned long long)l.failed,
                     l.first_message);
done:
    if (f && f != stdin)
        fclose(f);
    free(l.path);
    free(l.items);
    qd_buf_deinit(&l.text);
    return rc;
}
