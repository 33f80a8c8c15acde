/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the configuration out of memory. What libyaml allocates does not fail. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../failing_alloc.h"
#include "config.h"

static char path[32];

static void begin(void)
{
    snprintf(path, sizeof path, "/tmp/qd-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "http:\n  port: 1\n  host: 127.0.0.2\nnode.name: \"a\"\n") > 0);
    close(fd);
}

static void end(qd_status st)
{
    (void)st;
    unlink(path);
}

static qd_status load(qd_error *err)
{
    char *arguments[] = {"quidditchd", "--config", path, "--set", "http.host=127.0.0.3", "--port=0", NULL};
    char *environment[] = {"QUIDDITCH_HTTP_THREADS=5", "QUIDDITCH_NODE_NAME=b", NULL};
    qd_config c;
    qd_config_action action;
    qd_status st = qd_config_init(&c, err);
    if (st != QD_OK)
        return st;
    st = qd_config_load(&c, 6, arguments, environment, &action, err);
    if (st == QD_OK) {
        assert_string_equal(c.http_host, "127.0.0.3");
        assert_string_equal(c.node_name, "b");
        assert_int_equal(c.http_threads, 5);
    }
    qd_config_deinit(&c);
    return st;
}

static const memory_case CASES[] = {{"configuration", begin, load, end}};

int main(void)
{
    return memory_cases_run(CASES, 1, NULL, NULL);
}
