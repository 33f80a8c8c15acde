/* SPDX-License-Identifier: Apache-2.0
 *
 * WASI preview 1, as far as toolchains import it by habit: output goes to the log, the clock and randomness are real
 * with their permission and the same for each instance without, there are no arguments, no environment and no files.
 * https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md */
#include <time.h>

#include "base/hash.h"
#include "wasm/host.h"
#include "wasm/instance.h"
#include "wasm/module_impl.h"
#include "wasm/program_impl.h"

enum wasi_errno { WASI_OK = 0, WASI_EBADF = 8, WASI_EFAULT = 21, WASI_EINVAL = 28, WASI_ENOSYS = 52, WASI_ESPIPE = 70 };

#define MAX_IOVECS       1024
#define MAX_RANDOM_BYTES 65536u

static bool is_granted(const qd_instance *i, uint32_t permission)
{
    return (i->program->module->permissions & permission) != 0;
}

static int32_t write_out(qd_instance *i, int32_t at, const void *value, uint32_t n)
{
    return qd_host_write(i, (uint32_t)at, value, n) == QD_HOST_OK ? WASI_OK : WASI_EFAULT;
}

/* args_sizes_get, environ_sizes_get: none, of no bytes. */
static wasm_trap_t *sizes_get(qd_instance *i, wasmtime_val_raw_t *v)
{
    static const uint32_t none = 0;
    int32_t rc = write_out(i, v[0].i32, &none, sizeof none);
    v[0].i32 = rc ? rc : write_out(i, v[1].i32, &none, sizeof none);
    return NULL;
}

static wasm_trap_t *do_nothing(qd_instance *i, wasmtime_val_raw_t *v)
{
    (void)i;
    v[0].i32 = WASI_OK;
    return NULL;
}

static wasm_trap_t *not_supported(qd_instance *i, wasmtime_val_raw_t *v)
{
    (void)i;
    v[0].i32 = WASI_ENOSYS;
    return NULL;
}

/* C libraries probe descriptors from 3 on for opened directories until they get this. */
static wasm_trap_t *bad_descriptor(qd_instance *i, wasmtime_val_raw_t *v)
{
    (void)i;
    v[0].i32 = WASI_EBADF;
    return NULL;
}

static bool is_standard(int32_t fd)
{
    return fd >= 0 && fd <= 2;
}

static wasm_trap_t *clock_res_get(qd_instance *i, wasmtime_val_raw_t *v)
{
    static const uint64_t resolution_ns = 1;
    v[0].i32 =
        v[0].i32 == 0 || v[0].i32 == 1 ? write_out(i, v[1].i32, &resolution_ns, sizeof resolution_ns) : WASI_EINVAL;
    return NULL;
}

static wasm_trap_t *clock_time_get(qd_instance *i, wasmtime_val_raw_t *v)
{
    int32_t id = v[0].i32;
    uint64_t now_ns;
    if (id != 0 && id != 1) {
        v[0].i32 = WASI_EINVAL;
        return NULL;
    }
    if (is_granted(i, QD_PERM_CLOCK)) {
        struct timespec now;
        clock_gettime(id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
        now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    } else {
        now_ns = ++i->host->fake_ns; /* runtimes such as Go's take a clock that stands at 0 for a broken one */
    }
    v[0].i32 = write_out(i, v[2].i32, &now_ns, sizeof now_ns);
    return NULL;
}

/* splitmix64: the same bytes for each query, so that a function without the permission stays deterministic. */
static void fill_fixed(qd_instance *i, uint8_t *p, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        uint64_t z = i->host->fake_random += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        p[k] = (uint8_t)(z >> 56);
    }
}

static wasm_trap_t *random_get(qd_instance *i, wasmtime_val_raw_t *v)
{
    uint32_t n = (uint32_t)v[1].i32;
    uint8_t *p = qd_instance_memory(i, (uint32_t)v[0].i32, n);
    v[0].i32 = WASI_OK;
    if (!p)
        v[0].i32 = WASI_EFAULT;
    else if (n > MAX_RANDOM_BYTES)
        v[0].i32 = WASI_EINVAL;
    else if (!is_granted(i, QD_PERM_RANDOM))
        fill_fixed(i, p, n);
    else if (!qd_hash_random(p, n))
        v[0].i32 = WASI_ENOSYS;
    return NULL;
}

/* Of more than the log takes nothing is looked at: pages of line ends would keep us busy where no clock ticks. */
static void log_output(qd_instance *i, int32_t fd, const char *p, uint32_t n)
{
    if (!is_granted(i, QD_PERM_LOG))
        return;
    while (n > 0 && n <= i->program->limits.log_bytes && p[n - 1] == '\n')
        n--;
    if (n > 0)
        qd_host_log(i, fd == 2 ? 2 : 1, (qd_str){p, n});
}

static wasm_trap_t *fd_write(qd_instance *i, wasmtime_val_raw_t *v)
{
    int32_t fd = v[0].i32, written_at = v[3].i32;
    uint32_t at = (uint32_t)v[1].i32, count = (uint32_t)v[2].i32;
    uint64_t written = 0;
    if (fd != 1 && fd != 2) {
        v[0].i32 = WASI_EBADF;
        return NULL;
    }
    const uint8_t *vectors = count <= MAX_IOVECS ? qd_instance_memory(i, at, count * 8) : NULL;
    if (!vectors) {
        v[0].i32 = count <= MAX_IOVECS ? WASI_EFAULT : WASI_EINVAL;
        return NULL;
    }
    for (uint32_t k = 0; k < count; k++) {
        uint32_t piece[2]; /* address, length */
        memcpy(piece, vectors + 8 * k, sizeof piece);
        const char *p = (const char *)qd_instance_memory(i, piece[0], piece[1]);
        if (!p) {
            v[0].i32 = WASI_EFAULT;
            return NULL;
        }
        log_output(i, fd, p, piece[1]);
        written += piece[1];
    }
    uint32_t out = written > INT32_MAX ? INT32_MAX : (uint32_t)written;
    v[0].i32 = write_out(i, written_at, &out, sizeof out);
    return NULL;
}

/* Standard input is empty. */
static wasm_trap_t *fd_read(qd_instance *i, wasmtime_val_raw_t *v)
{
    static const uint32_t nothing = 0;
    v[0].i32 = v[0].i32 == 0 ? write_out(i, v[3].i32, &nothing, sizeof nothing) : WASI_EBADF;
    return NULL;
}

static wasm_trap_t *fd_fdstat_get(qd_instance *i, wasmtime_val_raw_t *v)
{
    /* A character device without rights: C libraries then buffer by line and do not seek. */
    static const uint8_t character_device[24] = {2};
    v[0].i32 = is_standard(v[0].i32) ? write_out(i, v[1].i32, character_device, sizeof character_device) : WASI_EBADF;
    return NULL;
}

static wasm_trap_t *fd_seek(qd_instance *i, wasmtime_val_raw_t *v)
{
    (void)i;
    v[0].i32 = is_standard(v[0].i32) ? WASI_ESPIPE : WASI_EBADF;
    return NULL;
}

static wasm_trap_t *proc_exit(qd_instance *i, wasmtime_val_raw_t *v)
{
    return qd_host_stop(i, "the function ended its process with proc_exit(%d)", v[0].i32);
}

#define WASI "wasi_snapshot_preview1"
const qd_host_function qd_host_wasi[] = {
    {WASI, "args_get", "ii:i", 0, do_nothing, "no arguments"},
    {WASI, "args_sizes_get", "ii:i", 0, sizes_get, "0 arguments"},
    {WASI, "environ_get", "ii:i", 0, do_nothing, "no environment"},
    {WASI, "environ_sizes_get", "ii:i", 0, sizes_get, "0 variables"},
    {WASI, "clock_res_get", "ii:i", 0, clock_res_get, "1 ns"},
    {WASI, "clock_time_get", "iIi:i", 0, clock_time_get,
     "the time with the permission 'clock', else how often it was asked for"},
    {WASI, "random_get", "ii:i", 0, random_get, "random bytes with the permission 'random', else always the same"},
    {WASI, "fd_write", "iiii:i", 0, fd_write,
     "to the log with the permission 'log' (1: info, 2: warning), else nowhere"},
    {WASI, "fd_read", "iiii:i", 0, fd_read, "end of file"},
    {WASI, "fd_close", "i:i", 0, do_nothing, "nothing"},
    {WASI, "fd_sync", "i:i", 0, do_nothing, "nothing"},
    {WASI, "fd_datasync", "i:i", 0, do_nothing, "nothing"},
    {WASI, "fd_fdstat_get", "ii:i", 0, fd_fdstat_get, "0 to 2: a character device"},
    {WASI, "fd_fdstat_set_flags", "ii:i", 0, do_nothing, "nothing"},
    {WASI, "fd_seek", "iIii:i", 0, fd_seek, "ESPIPE"},
    {WASI, "fd_tell", "ii:i", 0, fd_seek, "ESPIPE"},
    {WASI, "fd_prestat_get", "ii:i", 0, bad_descriptor, "EBADF: no directory is open"},
    {WASI, "fd_prestat_dir_name", "iii:i", 0, bad_descriptor, "EBADF"},
    {WASI, "proc_exit", "i:", 0, proc_exit, "ends the call as a failure"},
    {WASI, "sched_yield", ":i", 0, do_nothing, "nothing"},
    {WASI, "fd_advise", "iIIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_allocate", "iII:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_fdstat_set_rights", "iII:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_filestat_get", "ii:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_filestat_set_size", "iI:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_filestat_set_times", "iIIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_pread", "iiiIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_pwrite", "iiiIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_readdir", "iiiIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "fd_renumber", "ii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_create_directory", "iii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_filestat_get", "iiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_filestat_set_times", "iiiiIIi:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_link", "iiiiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_open", "iiiiiIIii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_readlink", "iiiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_remove_directory", "iii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_rename", "iiiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_symlink", "iiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "path_unlink_file", "iii:i", 0, not_supported, "ENOSYS"},
    {WASI, "poll_oneoff", "iiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "proc_raise", "i:i", 0, not_supported, "ENOSYS"},
    {WASI, "sock_accept", "iii:i", 0, not_supported, "ENOSYS"},
    {WASI, "sock_recv", "iiiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "sock_send", "iiiii:i", 0, not_supported, "ENOSYS"},
    {WASI, "sock_shutdown", "ii:i", 0, not_supported, "ENOSYS"},
    {0},
};
