/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory at each place in turn: an operation is run again and again, its first allocation failing, then its
 * second, and so on until it makes no more; once with that one failing alone, once with all after it. Each time it must
 * give QD_ENOMEM, or work. qd_memory_test (CMakeLists.txt) links a test with copies of the rooms whose calls of malloc
 * and its kin come here; jansson is told to. What Rust, LMDB and OpenSSL allocate does not fail, and neither does what
 * other threads do. */
#ifndef QD_TESTS_FAILING_ALLOC_H
#define QD_TESTS_FAILING_ALLOC_H

#include "cmocka_qd.h"

typedef struct memory_case {
    const char *name;
    void (*before)(void);            /* NULL: nothing; makes what each run begins with */
    qd_status (*run)(qd_error *err); /* frees what it got itself; memory may run out in it */
    void (*after)(qd_status st);     /* NULL: nothing; looks at what is left, and frees it */
} memory_case;

/* What main returns: each case as a test; group set-up and tear-down may be NULL. */
int memory_cases_run(const memory_case *cases, size_t n, CMFixtureFunction set_up, CMFixtureFunction tear_down);

/* Within a run: what is checked or undone here does not fail. They may nest. */
void failing_alloc_pause(void);
void failing_alloc_resume(void);

#endif
