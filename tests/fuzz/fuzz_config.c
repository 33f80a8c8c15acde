/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration file. What is wrong with it must be said. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    qd_config config = {0};
    qd_error err = QD_ERROR_INIT;
    int fd = memfd_create("config", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || qd_config_init(&config, &err) != QD_OK)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (qd_config_read_yaml(&config, path, &err) != QD_OK && err.message[0] == '\0')
        abort();
    qd_config_deinit(&config);
    close(fd);
    return 0;
}
