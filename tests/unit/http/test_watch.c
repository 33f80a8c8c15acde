/* SPDX-License-Identifier: Apache-2.0 */
#include "http/watch.h"

#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmocka_qd.h"

static bool is_set(volatile bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static void wait_until_set(volatile bool *flag)
{
    struct timespec pause = {0, 1000000};
    while (!is_set(flag))
        nanosleep(&pause, NULL);
}

static void test_peer_closes__canceled(void **state)
{
    (void)state;
    int a[2], b[2];
    qd_error err = QD_ERROR_INIT;
    qd_watch *w = NULL;
    qd_watched first = {0}, second = {0}, never = {0};
    volatile bool first_gone = false, second_gone = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
    assert_status_ok(qd_watch_new(&w, &err), &err);
    qd_watch_add_work(w, &first, a[0], &first_gone);
    qd_watch_add_work(w, &second, b[0], &second_gone);
    assert_int_equal(write(b[1], "x", 1), 1); /* data to read is no reason */
    close(a[1]);
    wait_until_set(&first_gone);
    assert_false(is_set(&second_gone));
    qd_watch_remove(w, &first);
    qd_watch_remove(w, &never);
    qd_watch_cancel_all(w);
    assert_true(is_set(&second_gone));
    qd_watch_remove(w, &second);
    qd_watch_free(w);
    close(a[0]);
    close(b[0]);
    close(b[1]);
}

/* The same on a watched connection, where the end of the stream is an event; once before and once after the work of an
 * earlier request on it, and not for the connection whose socket took its number later. */
static void test_connection_closes_during_work__only_its_work_is_canceled(void **state)
{
    (void)state;
    int a[2], b[2];
    qd_error err = QD_ERROR_INIT;
    qd_watch *w = NULL;
    qd_watched of_a = {0}, of_b = {0}, earlier = {0}, work_a = {0}, work_b = {0};
    volatile bool earlier_gone = false, a_gone = false, b_gone = false;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
    assert_status_ok(qd_watch_new(&w, &err), &err);
    qd_watch_add_connection(w, &of_a, a[0]);
    qd_watch_add_work(w, &earlier, a[0], &earlier_gone);
    qd_watch_remove(w, &earlier);
    qd_watch_add_work(w, &work_a, a[0], &a_gone);
    assert_int_equal(write(a[1], "x", 1), 1);
    shutdown(a[1], SHUT_WR);
    wait_until_set(&a_gone);
    assert_false(is_set(&earlier_gone));
    qd_watch_remove(w, &work_a);
    qd_watch_remove(w, &of_a);
    close(a[0]);
    close(a[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
    qd_watch_add_connection(w, &of_b, b[0]);
    qd_watch_add_work(w, &work_b, b[0], &b_gone);
    assert_false(is_set(&b_gone));
    close(b[1]);
    wait_until_set(&b_gone);
    qd_watch_remove(w, &work_b);
    qd_watch_remove(w, &of_b);
    qd_watch_free(w);
    close(b[0]);
}

/* Does the peer of a socket that was shut down see its end? */
static bool reaches_end(int socket)
{
    char byte;
    return read(socket, &byte, 1) == 0;
}

static void test_connection_of_a_client_that_left__shut_down_unless_busy(void **state)
{
    (void)state;
    int dead[2], busy[2], open[2];
    qd_error err = QD_ERROR_INIT;
    qd_watch *w = NULL;
    qd_watched of_dead = {0}, of_busy = {0}, of_open = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, dead), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, busy), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, open), 0);
    assert_status_ok(qd_watch_new(&w, &err), &err);
    atomic_store(&of_busy.is_busy, true);
    qd_watch_add_connection(w, &of_dead, dead[0]);
    qd_watch_add_connection(w, &of_busy, busy[0]);
    qd_watch_add_connection(w, &of_open, open[0]);
    shutdown(dead[1], SHUT_WR);
    shutdown(busy[1], SHUT_WR);
    assert_true(reaches_end(dead[1]));
    assert_int_equal(write(busy[0], "x", 1), 1);
    assert_int_equal(write(open[0], "x", 1), 1);
    qd_watch_remove(w, &of_dead);
    qd_watch_remove(w, &of_busy);
    qd_watch_remove(w, &of_open);
    qd_watch_free(w);
    for (int i = 0; i < 2; i++) {
        close(dead[i]);
        close(busy[i]);
        close(open[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peer_closes__canceled),
                                       cmocka_unit_test(test_connection_closes_during_work__only_its_work_is_canceled),
                                       cmocka_unit_test(test_connection_of_a_client_that_left__shut_down_unless_busy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
