/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over files and directories of files, with any compiler: how the ordinary test run replays a
 * corpus. Each input also runs cut at a few lengths and with single bytes changed, which finds the cheap bugs without a
 * fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define MAX_INPUT_BYTES ((size_t)1 << 20)
#define VARIANTS        200

static unsigned long runs;

/* A copy of exactly the input's size, so that a sanitizer sees a read past its end. */
static void run_once(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        exit(1);
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static void run_variants(uint8_t *data, size_t size)
{
    uint32_t random = 2166136261u;
    for (int i = 0; i < VARIANTS && size > 0; i++) {
        random = random * 1664525u + 1013904223u;
        size_t at = (random >> 8) % size;
        uint8_t before = data[at];
        data[at] = (uint8_t)(random >> 24);
        run_once(data, size);
        data[at] = before;
        run_once(data, at);
    }
}

static int run_file(const char *path)
{
    uint8_t *data = malloc(MAX_INPUT_BYTES);
    FILE *f = fopen(path, "rb");
    if (!data || !f) {
        perror(path);
        free(data);
        return 1;
    }
    size_t size = fread(data, 1, MAX_INPUT_BYTES, f);
    fclose(f);
    run_once(data, size);
    run_variants(data, size);
    free(data);
    return 0;
}

static int run_directory(const char *path)
{
    DIR *d = opendir(path);
    int failed = d ? 0 : 1;
    if (!d)
        perror(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char file[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        failed |= run_file(file);
    }
    if (d)
        closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        failed |= stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? run_directory(argv[i]) : run_file(argv[i]);
    }
    printf("%lu runs\n", runs);
    return failed || runs == 0;
}
