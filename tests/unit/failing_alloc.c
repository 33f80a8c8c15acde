/* SPDX-License-Identifier: Apache-2.0 */
#include "failing_alloc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CASES 64

/* Of the thread that runs the case; others are left alone. */
static _Thread_local struct {
    bool is_armed, has_failed, stays;
    unsigned pauses;
    uint64_t left; /* allocations until the one that fails */
} plan;

static bool fails(void)
{
    if (!plan.is_armed || plan.pauses > 0)
        return false;
    if (plan.left > 0 && --plan.left > 0)
        return false;
    if (plan.has_failed && !plan.stays)
        return false;
    plan.has_failed = true;
    errno = ENOMEM;
    return true;
}

void failing_alloc_pause(void)
{
    plan.pauses++;
}

void failing_alloc_resume(void)
{
    plan.pauses--;
}

/* ---- what the rooms call instead of the C library -------------------------------------------------------------- */

void *failing_malloc(size_t n);
void *failing_calloc(size_t n, size_t size);
void *failing_realloc(void *p, size_t n);
void *failing_aligned_alloc(size_t alignment, size_t n);
char *failing_strdup(const char *s);
json_t *failing_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error);
int failing_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int failing_asprintf_chk(char **out, int flag, const char *format, ...) __attribute__((format(printf, 3, 4)));

void *failing_malloc(size_t n)
{
    return fails() ? NULL : malloc(n);
}

void *failing_calloc(size_t n, size_t size)
{
    return fails() ? NULL : calloc(n, size);
}

void *failing_realloc(void *p, size_t n)
{
    return fails() ? NULL : realloc(p, n);
}

void *failing_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : aligned_alloc(alignment, n);
}

char *failing_strdup(const char *s)
{
    return fails() ? NULL : strdup(s);
}

/* *out is undefined after a failure, as it is by the standard of others. */
/* As one: its lexer does not look at whether its buffer grew, and loses a byte. */
json_t *failing_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error)
{
    if (fails()) {
        *error = (json_error_t){.text = ""};
        return NULL;
    }
    failing_alloc_pause();
    json_t *value = json_loadb(text, n, flags, error);
    failing_alloc_resume();
    return value;
}

#define PRINT(out, format)                                                                                             \
    va_list args;                                                                                                      \
    if (fails()) {                                                                                                     \
        *(out) = (char *)(uintptr_t)1;                                                                                 \
        return -1;                                                                                                     \
    }                                                                                                                  \
    va_start(args, format);                                                                                            \
    int n = vasprintf(out, format, args);                                                                              \
    va_end(args);                                                                                                      \
    return n

int failing_asprintf(char **out, const char *format, ...)
{
    PRINT(out, format);
}

int failing_asprintf_chk(char **out, int flag, const char *format, ...)
{
    (void)flag;
    PRINT(out, format);
}

/* ---- a case ---------------------------------------------------------------------------------------------------- */

static void run_failing(const memory_case *c, uint64_t k, bool stays)
{
    qd_error err = QD_ERROR_INIT;
    plan.is_armed = false; /* the test before may have failed in the middle */
    plan.pauses = 0;
    if (c->before)
        c->before();
    plan.left = k;
    plan.stays = stays;
    plan.has_failed = false;
    plan.is_armed = true;
    qd_status st = c->run(&err);
    plan.is_armed = false;
    if (st != QD_OK && st != QD_ENOMEM)
        fail_msg("%s, allocation %d%s: %s, \"%s\"", c->name, (int)k, stays ? " and all after it" : "",
                 qd_status_name(st), err.message);
    if (st == QD_ENOMEM && !plan.has_failed)
        fail_msg("%s: out of memory while there was enough", c->name);
    if (st != QD_OK && err.code != st)
        fail_msg("%s, allocation %d: %s without an error", c->name, (int)k, qd_status_name(st));
    if (c->after)
        c->after(st);
}

static void run_case(void **state)
{
    const memory_case *c = *state;
    for (int stays = 0; stays < 2; stays++) {
        uint64_t k = 0;
        do {
            run_failing(c, ++k, stays);
        } while (plan.has_failed);
        assert_true(k > 1); /* else nothing was tried */
    }
}

int memory_cases_run(const memory_case *cases, size_t n, CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
    struct CMUnitTest tests[MAX_CASES];
    if (n > MAX_CASES)
        abort();
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = run_case, .initial_state = (void *)(uintptr_t)&cases[i]};
    json_set_alloc_funcs(failing_malloc, free);
    return _cmocka_run_group_tests("out of memory", tests, n, set_up, tear_down);
}
