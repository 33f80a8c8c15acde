/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmocka_qd.h"

#define FLAG     "--child"
#define MAX_ARGS 8

extern char **environ;

typedef struct part {
    const child_role *role;
    char **args;
} part;

static void play(void **state)
{
    const part *p = *state;
    p->role->run(p->args);
    _exit(0);
}

void child_main(int argc, char **argv, const child_role *roles, size_t n)
{
    if (argc < 3 || strcmp(argv[1], FLAG) != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(argv[2], roles[i].name) == 0) {
            /* As a test, because cmocka keeps what an assertion says until the test ends. */
            part p = {&roles[i], argv + 3};
            const struct CMUnitTest test = {.name = argv[2], .test_func = play, .initial_state = &p};
            _exit(_cmocka_run_group_tests(FLAG, &test, 1, NULL, NULL));
        }
    }
    fprintf(stderr, "%s: no role of this test is called so\n", argv[2]);
    _exit(2);
}

pid_t child_start(int fd, const char *const *args)
{
    const char *argv[MAX_ARGS + 3] = {"/proc/self/exe", FLAG};
    posix_spawn_file_actions_t actions;
    pid_t child = -1;
    size_t n = 0;
    for (; args[n]; n++) {
        assert_true(n < MAX_ARGS);
        argv[2 + n] = args[n];
    }
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    if (fd >= 0)
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, fd, CHILD_FD), 0);
    int error = posix_spawn(&child, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        fail_msg("starting a child: %s", strerror(error));
    return child;
}

static _Atomic uint64_t *map_counter(int fd)
{
    void *counter = mmap(NULL, sizeof(_Atomic uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(counter, MAP_FAILED);
    return counter;
}

_Atomic uint64_t *child_counter_new(int *fd)
{
    *fd = memfd_create("counter", MFD_CLOEXEC);
    assert_true(*fd >= 0);
    assert_int_equal(ftruncate(*fd, sizeof(_Atomic uint64_t)), 0);
    return map_counter(*fd);
}

_Atomic uint64_t *child_counter(void)
{
    return map_counter(CHILD_FD);
}

void child_counter_free(_Atomic uint64_t *counter, int fd)
{
    munmap((void *)counter, sizeof *counter);
    close(fd);
}
