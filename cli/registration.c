/* SPDX-License-Identifier: Apache-2.0 */
#include "registration.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "answer.h"
#include "base/hash.h"
#include "text.h"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static char *join(const char *directory, const char *name)
{
    qd_buf path;
    qd_buf_init(&path, 64 << 10);
    size_t n = strlen(directory);
    qd_buf_addf(&path, "%s%s%s", directory, n && directory[n - 1] == '/' ? "" : "/", name);
    return qd_buf_take(&path, NULL);
}

/* The last word of a path, "x" for "a/x/": NULL when out of memory. "." and ".." are resolved. */
static char *base_name(const char *directory)
{
    char *real = realpath(directory, NULL);
    if (!real)
        return NULL;
    char *slash = strrchr(real, '/');
    char *name = strdup(slash && slash[1] ? slash + 1 : real);
    free(real);
    return name;
}

/* The only file in `directory` with that ending; *n counts them. */
static char *only_file(const char *directory, const char *ending, size_t *n)
{
    char *found = NULL;
    *n = 0;
    DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || !ends_with(e->d_name, ending))
            continue;
        free(found);
        found = join(directory, e->d_name);
        ++*n;
    }
    if (d)
        closedir(d);
    return found;
}

static qd_status find_module(const char *directory, char **out, qd_error *err)
{
    static const char *const endings[] = {".wasm", ".wat"};
    qd_status rc = QD_EINVAL;
    char *name = base_name(directory), *path = NULL;
    struct stat st;
    qd_buf file;
    qd_buf_init(&file, 64 << 10);
    qd_buf_addf(&file, "%s.wasm", name ? name : "");
    qd_buf_add_char(&file, '\0');
    if (!file.failed && (path = join(directory, file.p)) && stat(path, &st) == 0)
        goto found;
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        free(path);
        path = only_file(directory, endings[i], &n);
        if (n == 1 && path)
            goto found;
        if (n > 1) {
            qd_fail(err, rc, "'%s' holds %zu modules (*%s): name one of them, with --manifest", directory, n,
                    endings[i]);
            goto done;
        }
    }
    qd_fail(err, rc, "'%s' holds no module (*.wasm or *.wat): build it first, `qctl udf build %s`", directory,
            directory);
    goto done;
found:
    *out = QD_TAKE(path);
    rc = QD_OK;
done:
    free(path);
    free(name);
    qd_buf_deinit(&file);
    return rc;
}

char *registration_find_text(const char *directory)
{
    size_t n;
    char *path = only_file(directory, ".wat", &n);
    if (n == 1)
        return path;
    free(path);
    return NULL;
}

static qd_status load_manifest(registration *r, const char *path, qd_error *err)
{
    qd_status rc = read_json_file(path, &r->manifest, err);
    if (!rc && !json_is_object(r->manifest))
        rc = qd_fail(err, QD_EINVAL, "%s: a manifest is a JSON object", path);
    return rc;
}

/* What is signed, and by whom. */
static qd_status load_trust(registration *r, const args *a, qd_error *err)
{
    const char *signature = args_text(a, "signature", NULL), *native = args_text(a, "native", NULL),
               *native_signature = args_text(a, "native-signature", NULL);
    r->is_inactive = args_has(a, "inactive");
    qd_status rc = signature ? read_json_file(signature, &r->signature, err) : QD_OK;
    if (!rc && native_signature)
        rc = read_json_file(native_signature, &r->native_signature, err);
    if (!rc && native) {
        rc = read_file(native, MAX_MODULE_BYTES, &r->native, err);
        r->has_native = rc == QD_OK;
    }
    return rc;
}

static qd_status override(registration *r, const args *a, qd_error *err)
{
    static const char *const fields[][2] = {{"name", "name"}, {"version", "version"}, {"function", "function_name"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *value = args_text(a, fields[i][0], NULL);
        if (value && json_object_set_new(r->manifest, fields[i][1], json_string(value)))
            return qd_fail(err, QD_EINVAL, "option --%s: '%s' is not UTF-8 text", fields[i][0], value);
    }
    return QD_OK;
}

qd_status registration_load(registration *r, const char *where, const args *a, qd_error *err)
{
    qd_status rc;
    struct stat st;
    char *manifest_path = NULL;
    const char *given = args_text(a, "manifest", NULL);
    memset(r, 0, sizeof *r);
    if (stat(where, &st)) {
        rc = qd_fail(err, QD_EIO, "cannot open '%s': %s", where, strerror(errno));
        goto done;
    }
    if (S_ISDIR(st.st_mode)) {
        if ((rc = find_module(where, &r->module_path, err)))
            goto done;
        manifest_path = join(where, "manifest.json");
        if (!given && manifest_path && stat(manifest_path, &st) == 0)
            given = manifest_path;
    } else if (!(r->module_path = strdup(where))) {
        rc = qd_fail_nomem(err);
        goto done;
    }
    if (given)
        rc = load_manifest(r, given, err);
    else
        rc = (r->manifest = json_object()) ? QD_OK : qd_fail_nomem(err);
    if (rc || (rc = override(r, a, err)))
        goto done;
    r->is_text = ends_with(r->module_path, ".wat");
    if (!(rc = read_file(r->module_path, MAX_MODULE_BYTES, &r->module, err)))
        rc = load_trust(r, a, err);
done:
    free(manifest_path);
    if (rc)
        registration_deinit(r);
    return rc;
}

void registration_deinit(registration *r)
{
    free(r->module_path);
    json_decref(r->manifest);
    json_decref(r->signature);
    json_decref(r->native_signature);
    qd_buf_deinit(&r->module);
    qd_buf_deinit(&r->native);
    memset(r, 0, sizeof *r);
}

/* What stands beside the manifest. */
static bool add_options(const registration *r, json_t *v)
{
    qd_buf text;
    qd_buf_init(&text, MAX_MODULE_BYTES * 2);
    bool is_ok = (!r->signature || !json_object_set(v, "signature", r->signature)) &&
                 (!r->native_signature || !json_object_set(v, "native_signature", r->native_signature)) &&
                 (!r->is_inactive || !json_object_set_new(v, "activate", json_false()));
    if (is_ok && r->has_native) {
        qd_base64_encode((const uint8_t *)r->native.p, r->native.n, &text);
        is_ok = !text.failed && !json_object_set_new(v, "native_base64", json_stringn(text.p ? text.p : "", text.n));
    }
    qd_buf_deinit(&text);
    return is_ok;
}

json_t *registration_json(const registration *r)
{
    json_t *v = json_copy(r->manifest);
    qd_buf text;
    qd_buf_init(&text, MAX_MODULE_BYTES * 2);
    bool is_ok = v != NULL;
    if (r->is_text) {
        is_ok = is_ok && !json_object_set_new(v, "language", json_string("wat")) &&
                !json_object_set_new(v, "source", json_stringn(r->module.p ? r->module.p : "", r->module.n));
    } else {
        qd_base64_encode((const uint8_t *)r->module.p, r->module.n, &text);
        is_ok =
            is_ok && !text.failed && !json_object_set_new(v, "wasm_base64", json_stringn(text.p ? text.p : "", text.n));
    }
    qd_buf_deinit(&text);
    if (!is_ok || !add_options(r, v)) {
        json_decref(v);
        v = NULL;
    }
    return v;
}

static qd_status send_json(qctl *q, const registration *r, const char *path, answer *out, json_t **json, qd_error *err)
{
    qd_buf body;
    json_t *v = registration_json(r);
    qd_status rc = v ? write_json(v, &body, err) : qd_fail(err, QD_EINVAL, "'%s' is not UTF-8 text", r->module_path);
    json_decref(v);
    if (rc)
        return rc;
    request rq = {.method = "POST", .path = path, .body = qd_buf_str(&body)};
    rc = call(q, &rq, out, json, err);
    qd_buf_deinit(&body);
    return rc;
}

qd_status registration_send(qctl *q, const registration *r, const char *path, answer *out, json_t **json, qd_error *err)
{
    /* These travel as parts of their own, the rest of the manifest as `metadata`. */
    static const char *const own_parts[] = {"name", "version", "function_name"};
    form_part parts[9];
    size_t n = 0;
    qd_buf metadata, signature, native_signature;
    if (r->is_text)
        return send_json(q, r, path, out, json, err);
    json_t *rest = json_copy(r->manifest);
    if (!rest)
        return qd_fail_nomem(err);
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_object_get(r->manifest, own_parts[i]);
        /* What is not a string stays in the metadata, for the server to refuse by name. */
        if (!json_is_string(v))
            continue;
        parts[n++] = (form_part){own_parts[i], NULL, NULL, {json_string_value(v), json_string_length(v)}};
        json_object_del(rest, own_parts[i]);
    }
    const char *slash = strrchr(r->module_path, '/');
    parts[n++] = (form_part){"wasm", slash ? slash + 1 : r->module_path, "application/wasm", qd_buf_str(&r->module)};
    qd_status rc = write_json(rest, &metadata, err);
    json_decref(rest);
    if (rc)
        return rc;
    parts[n++] = (form_part){"metadata", NULL, "application/json", qd_buf_str(&metadata)};
    qd_buf_init(&signature, 0);
    qd_buf_init(&native_signature, 0);
    if (r->signature && !(rc = write_json(r->signature, &signature, err)))
        parts[n++] = (form_part){"signature", NULL, "application/json", qd_buf_str(&signature)};
    if (!rc && r->native_signature && !(rc = write_json(r->native_signature, &native_signature, err)))
        parts[n++] = (form_part){"native_signature", NULL, "application/json", qd_buf_str(&native_signature)};
    if (r->has_native)
        parts[n++] = (form_part){"native", "native", "application/octet-stream", qd_buf_str(&r->native)};
    if (r->is_inactive)
        parts[n++] = (form_part){"activate", NULL, NULL, QD_STR("false")};
    request rq = {.method = "POST", .path = path, .parts = parts, .n_parts = n};
    if (!rc)
        rc = call(q, &rq, out, json, err);
    qd_buf_deinit(&signature);
    qd_buf_deinit(&native_signature);
    qd_buf_deinit(&metadata);
    return rc;
}
