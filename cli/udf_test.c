/* SPDX-License-Identifier: Apache-2.0
 *
 * `udf test`: one call with a document from the command line, or all cases of a file
 *   {"cases": [{"name", "document" | "documents", "split"?, "parameters"?, "context"?, "score"?, "id"?,
 *               "result" | "error", "tolerance"?}]}
 * (of "documents" an aggregate has one result, and with "split" takes them in parts; others have a list of results)
 * against a registered function, or against a directory or module that is not registered: a dry run on the server, or
 * with --here in this process, where the module is compiled once for all cases. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "answer.h"
#include "local.h"
#include "text.h"

#define DEFAULT_TOLERANCE 1e-9
#define MAX_SPLIT         64

typedef struct target {
    const char *path;      /* of the test call */
    json_t *base;          /* what every request holds: {}, the version, or the registration */
    bool is_dry_run;       /* the call stands in "test", beside the registration: both have parameters */
    local_function *local; /* --here: runs in this process instead; else NULL */
} target;

static const char *const CALL_FIELDS[] = {"document", "documents", "split", "parameters", "context", "score", "id"};
#define N_CALL_FIELDS (sizeof CALL_FIELDS / sizeof *CALL_FIELDS)

/* As if the server had answered. */
static qd_status post_here(const target *t, const json_t *body, answer *reply, json_t **v, qd_error *err)
{
    memset(reply, 0, sizeof *reply);
    qd_status rc = local_test(t->local, body, v, err);
    return rc ? rc : write_json(*v, &reply->body, err);
}

/* The target's base with the call's fields of `from`. */
static qd_status post(qctl *q, const target *t, const json_t *from, answer *reply, json_t **v, qd_error *err)
{
    qd_buf text;
    json_t *body = json_copy(t->base), *into = t->is_dry_run ? json_object() : json_incref(body);
    bool is_ok = body && into && (!t->is_dry_run || !json_object_set(body, "test", into));
    for (size_t i = 0; is_ok && i < N_CALL_FIELDS; i++) {
        json_t *member = json_object_get(from, CALL_FIELDS[i]);
        is_ok = !member || !json_object_set(into, CALL_FIELDS[i], member);
    }
    json_decref(into);
    qd_status rc = QD_OK;
    if (t->local) {
        rc = is_ok ? post_here(t, body, reply, v, err) : qd_fail_nomem(err);
        json_decref(body);
        return rc;
    }
    rc = is_ok ? write_json(body, &text, err) : qd_fail_nomem(err);
    json_decref(body);
    if (rc)
        return rc;
    request rq = {.method = "POST", .path = t->path, .body = qd_buf_str(&text)};
    rc = call(q, &rq, reply, v, err);
    qd_buf_deinit(&text);
    return rc;
}

/* Of one document, or of an aggregate; else the list of those of all documents. */
static const json_t *result_of(const json_t *v)
{
    const json_t *one = json_at(v, "result");
    return one ? one : json_at(v, "results");
}

/* Nothing is a result too, and is shown. */
static void text_result(qd_buf *out, const json_t *v)
{
    if (json_is_null(v))
        qd_buf_add_z(out, "null");
    else
        text_json(out, v);
}

static void print_call(const json_t *v)
{
    char ms[TEXT_SIZE];
    size_t i;
    json_t *line;
    qd_buf text;
    qd_buf_init(&text, 1 << 20);
    text_result(&text, result_of(v));
    fputs("result  ", stdout);
    text_print(stdout, text.n ? text.p : "", text.n);
    printf("\ntook    %s, %lld host calls, %s\n", text_ms(json_f64_at(v, "execution_time_ms"), ms),
           (long long)json_i64_at(v, "host_calls"), json_text_at(v, "tier"));
    json_array_foreach (json_at(v, "logs"), i, line) {
        const char *message = json_text_at(line, "message");
        printf("log     %s: ", json_text_at(line, "level"));
        text_print(stdout, message, strlen(message));
        putchar('\n');
    }
    qd_buf_deinit(&text);
}

static qd_status one_call(qctl *q, const target *t, const args *a, qd_error *err)
{
    static const char *const json_options[] = {"document", "documents", "parameters", "context"};
    answer reply;
    json_t *v = NULL, *from = json_object();
    int64_t ignored;
    qd_status rc = from ? QD_OK : qd_fail_nomem(err);
    for (size_t i = 0; !rc && i < sizeof json_options / sizeof *json_options; i++) {
        json_t *value = NULL;
        const char *text = args_text(a, json_options[i], NULL), *what = json_options[i];
        if (text && !(rc = read_json(text, what, &value, err)) && json_object_set_new(from, what, value))
            rc = qd_fail_nomem(err);
    }
    double score;
    int64_t split = 1;
    const char *score_text = args_text(a, "score", NULL), *id = args_text(a, "id", NULL);
    if (!rc && score_text && !qd_str_to_f64(qd_str_of(score_text), &score) &&
        !qd_str_to_i64(qd_str_of(score_text), &ignored))
        rc = usage_error(err, "option --score: expected a number, got '%s'", score_text);
    if (!rc && score_text)
        json_object_set_new(from, "score", json_real(strtod(score_text, NULL)));
    if (!rc && id)
        json_object_set_new(from, "id", json_string(id));
    if (!rc && args_has(a, "split") && !(rc = args_i64(a, "split", 1, MAX_SPLIT, &split, err)))
        json_object_set_new(from, "split", json_integer(split));
    if (!rc && !(rc = post(q, t, from, &reply, &v, err))) {
        if (!print_raw(q, &reply))
            print_call(v);
        answer_deinit(&reply);
    }
    json_decref(v);
    json_decref(from);
    return rc;
}

static bool is_same(const json_t *got, const json_t *expected, double tolerance)
{
    if (json_is_number(got) && json_is_number(expected)) {
        double a = json_number_value(got), b = json_number_value(expected);
        return fabs(a - b) <= tolerance * fmax(1, fabs(b));
    }
    if (json_is_array(got) && json_is_array(expected)) {
        size_t n = json_array_size(expected);
        bool is_ok = json_array_size(got) == n;
        for (size_t i = 0; is_ok && i < n; i++)
            is_ok = is_same(json_array_get(got, i), json_array_get(expected, i), tolerance);
        return is_ok;
    }
    return json_equal(got, expected);
}

/* Runs a case; false when it failed. `line`: what to show of it. Errors: only what ends the whole run. */
static qd_status run_case(qctl *q, const target *t, const json_t *c, bool *passed, qd_buf *line, qd_error *err)
{
    answer reply;
    json_t *v = NULL;
    const json_t *expected = json_at(c, "result"), *tolerance = json_at(c, "tolerance");
    const char *expected_error = json_text_at(c, "error");
    qd_status rc = post(q, t, c, &reply, &v, err);
    *passed = false;
    if (rc == QD_EIO || rc == QD_ENOMEM)
        return rc;
    if (rc) {
        *passed = strcmp(qd_status_describe(rc)->api_code, expected_error) == 0;
        qd_buf_addf(line, "%s: %s", qd_status_describe(rc)->api_code, err ? err->message : "");
        return QD_OK;
    }
    text_result(line, result_of(v));
    if (expected)
        *passed = is_same(result_of(v), expected, tolerance ? json_number_value(tolerance) : DEFAULT_TOLERANCE);
    if (!*passed) {
        qd_buf_add_z(line, ", expected ");
        qd_buf_add_z(line, *expected_error ? expected_error : "");
        text_result(line, expected);
    }
    json_decref(v);
    answer_deinit(&reply);
    return QD_OK;
}

static void report_case(const qctl *q, const json_t *c, bool passed, const qd_buf *line, json_t *report)
{
    if (q->is_json)
        json_array_append_new(report, json_pack("{s:s, s:b, s:s%}", "name", json_text_at(c, "name"), "passed", passed,
                                                "got", line->n ? line->p : "", line->n));
    if (q->is_json || (passed && q->is_quiet))
        return;
    printf("%-5s %s: ", passed ? "ok" : "FAIL", json_text_at(c, "name"));
    text_print(stdout, line->n ? line->p : "", line->n);
    putchar('\n');
}

static qd_status all_cases(qctl *q, const target *t, const char *path, qd_error *err)
{
    json_t *file = NULL, *c, *report = json_array();
    size_t i, failed = 0, total = 0;
    qd_buf at, line;
    qctl quiet = *q; /* answers of single calls are not shown raw */
    quiet.is_json = false;
    qd_buf_init(&line, 1 << 20);
    qd_buf_init(&at, 64 << 10);
    qd_buf_addf(&at, "@%s", path);
    qd_buf_add_char(&at, '\0');
    qd_status rc = at.failed ? qd_fail_nomem(err) : read_json(at.p, path, &file, err);
    if (!rc && !(total = json_array_size(json_at(file, "cases"))))
        rc = qd_fail(err, QD_EINVAL, "%s: expected an object with a list 'cases' that is not empty", path);
    for (i = 0; !rc && i < total; i++) {
        bool passed;
        qd_error why = QD_ERROR_INIT;
        c = json_array_get(json_at(file, "cases"), i);
        qd_buf_clear(&line);
        rc = run_case(&quiet, t, c, &passed, &line, &why);
        if (rc && err)
            *err = why;
        if (!rc)
            report_case(q, c, passed, &line, report);
        failed += !passed;
    }
    if (!rc && q->is_json) {
        json_t *all = json_pack("{s:I, s:I, s:O}", "passed", (json_int_t)(total - failed), "failed", (json_int_t)failed,
                                "cases", report);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    } else if (!rc && !q->is_quiet && !failed) {
        printf("%zu of %zu cases passed\n", total, total);
    }
    if (!rc && failed)
        rc = qd_fail(err, QD_EUDF_FAILED, "%zu of %zu cases failed", failed, total);
    qd_buf_deinit(&at);
    qd_buf_deinit(&line);
    json_decref(report);
    json_decref(file);
    return rc;
}

/* A directory's cases.json, when there is one; owned by caller. */
static char *default_cases(const char *directory)
{
    struct stat st;
    qd_buf path;
    qd_buf_init(&path, 64 << 10);
    qd_buf_addf(&path, "%s/cases.json", directory);
    char *text = qd_buf_take(&path, NULL);
    if (text && stat(text, &st) == 0)
        return text;
    free(text);
    return NULL;
}

/* An option that says something of a module, which a function that is registered has already; or NULL. */
static const char *option_of_modules(const args *a)
{
    static const char *const NAMES[] = {"here", "manifest", "name", "version", "function", NULL};
    for (size_t i = 0; NAMES[i]; i++)
        if (args_has(a, NAMES[i]))
            return NAMES[i];
    return NULL;
}

qd_status udf_test(qctl *q, const args *a, qd_error *err)
{
    qd_status rc;
    struct stat st;
    registration r = {0};
    target t = {0};
    local_function local = {0};
    qd_buf path;
    char *found = NULL;
    const char *where = a->words[0], *cases = args_text(a, "cases", NULL), *unfit;
    qd_buf_init(&path, 4096);

    /* A function's name has no slash, dot or dash; a directory of that name here does not hide a registered function
     * unless it is written as a path, or an option makes no sense with anything else. */
    bool is_there = stat(where, &st) == 0, is_written_so = strpbrk(where, "/.-") && !strchr(where, '@');
    bool is_path = is_there && (is_written_so || option_of_modules(a)), is_hidden = is_there && !is_path;
    if (is_path) {
        if ((rc = registration_load(&r, where, a, err)))
            goto done;
        if (args_has(a, "here") && (rc = local_open(&local, &r, err)))
            goto done;
        t.local = local.udf ? &local : NULL;
        t.base = local.udf ? json_object() : registration_json(&r);
        t.is_dry_run = !local.udf;
        qd_buf_add_z(&path, "/api/v1/udfs/_test");
    } else if ((unfit = option_of_modules(a))) {
        rc = usage_error(err, "option --%s: '%s' is no directory and no module file here", unfit, where);
        goto done;
    } else if (is_written_so) {
        rc = usage_error(err,
                         "'%s' is no directory and no module file here, and no function's name has a slash, dot "
                         "or dash",
                         where);
        goto done;
    } else {
        const char *at = strchr(where, '@');
        qd_buf name;
        qd_buf_init(&name, 4096);
        qd_buf_add(&name, where, at ? (size_t)(at - where) : strlen(where));
        qd_buf_add_char(&name, '\0');
        if (!name.failed)
            path_add_function(&path, name.p);
        qd_buf_add_z(&path, "/test");
        qd_buf_deinit(&name);
        t.base = at ? json_pack("{s:s}", "version", at + 1) : json_object();
    }
    qd_buf_add_char(&path, '\0');
    if (!t.base || path.failed) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    t.path = path.p;
    bool has_documents = args_has(a, "document") || args_has(a, "documents");
    if (!cases && !has_documents && is_path && S_ISDIR(st.st_mode))
        cases = found = default_cases(where);
    if (!cases && !has_documents)
        rc = usage_error(err, "what to test '%s' with? Give --document JSON, --documents JSON, or --cases FILE%s%s",
                         where, is_hidden ? "; for the directory here write ./" : "", is_hidden ? where : "");
    else
        rc = cases ? all_cases(q, &t, cases, err) : one_call(q, &t, a, err);
done:
    free(found);
    json_decref(t.base);
    qd_buf_deinit(&path);
    local_close(&local);
    registration_deinit(&r);
    return rc;
}
