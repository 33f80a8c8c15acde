/* SPDX-License-Identifier: Apache-2.0
 *
 * A part of a test that is killed, or ends without closing anything, is a program of its own: the test's program starts
 * itself again, by posix_spawn(3). A process that is forked while threads run (the engine's end some time after what
 * used them was closed) may do almost nothing: their locks stay taken, and ThreadSanitizer stops it. */
#ifndef QD_TESTS_CHILD_H
#define QD_TESTS_CHILD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a child finds the descriptor that it was given. */
#define CHILD_FD 3

typedef struct child_role {
    const char *name;
    void (*run)(char **args); /* what follows the name, up to a NULL; the child ends when this returns, with status 0,
                                 or when an assertion of it fails */
} child_role;

/* First in main: plays the role that the arguments name and ends the process; returns when they name none. */
void child_main(int argc, char **argv, const child_role *roles, size_t n);

/* Starts this program again in the role `args[0]`, with what follows it up to a NULL. It has standard input and output,
 * `fd` as CHILD_FD, and whatever else is not closed on exec; it is killed when the calling thread ends. Returns its id;
 * the caller waits for it. */
pid_t child_start(int fd, const char *const *args);

/* A number that a child shows its parent: made by the parent, zero at first, its descriptor is what child_start takes.
 */
_Atomic uint64_t *child_counter_new(int *fd);
/* The same one in the child, from CHILD_FD. */
_Atomic uint64_t *child_counter(void);
void child_counter_free(_Atomic uint64_t *counter, int fd);

#endif
