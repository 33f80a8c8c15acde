/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of an index: one table (settings.c) says which there are. They come in OpenSearch's forms
 * ("index.refresh_interval", nested objects, numbers or strings) and are kept as text, as GET _settings shows them. */
#ifndef QD_NODE_SETTINGS_H
#define QD_NODE_SETTINGS_H

#include "base/json.h"

typedef struct qd_settings {
    json_t *texts; /* "refresh_interval": "1s", what was given and what is always shown; owned */
    int64_t refresh_interval_ms; /* -1: never by itself */
    uint32_t max_fields;
} qd_settings;

/* `body` may be NULL. Errors: QD_EINVAL naming the setting. */
qd_status qd_settings_read(const json_t *body, int64_t default_refresh_interval_ms, qd_settings *out, qd_error *err);
void qd_settings_deinit(qd_settings *s);
/* Members of the "index" object, dotted names as nested objects. */
void qd_settings_write(const qd_settings *s, qd_json *w);

#endif
