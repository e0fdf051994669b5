/* Makes one system call of a program fail, or ends the program there. Preloaded by run.sh (LD_PRELOAD), Linux only.
 *
 * FAULT_CALL   which calls count: write, sync, rename, open, truncate, map, unlink, or any
 * FAULT_UNDER  only calls on files below this folder count
 * FAULT_AT     the number of the call that fails, from 1; 0 makes none fail
 * FAULT_HOW    EIO, ENOSPC, EDQUOT, EACCES; `short` writes half and succeeds; `kill` ends the process before the call;
 *              `torn` writes half and ends the process; `power-nothing`, `power-names` and `power-some` end it where the
 *              power fails, and note which of the files that were not synced got onto the disk (durable.c)
 * FAULT_STAYS  where set, all later calls fail as well, as on a full disk
 * FAULT_COUNT  a file that gets the number of calls that counted, when the program ends by itself
 *
 * What is opened is matched by its path, what is written by the path of its descriptor. Calls that a program makes
 * without the C library are not seen here. Renaming is such a call in places, so the kernel fails it: FAULT_CALL=renames
 * makes all of them fail with EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "durable.h"

static atomic_long counted;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int is_below(const char *path) {
    const char *folder = setting("FAULT_UNDER");
    size_t length = strlen(folder);
    return length > 0 && path && strncmp(path, folder, length) == 0;
}

static int is_descriptor_below(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

enum fault { NONE, FAILS, SHORT, TORN };

/* Counts a call; answers what is to become of it, with errno set where it fails. */
static enum fault fault(const char *kind, int is_counted) {
    const char *asked = setting("FAULT_CALL"), *how = setting("FAULT_HOW");
    if (!is_counted || (strcmp(asked, "any") != 0 && strcmp(asked, kind) != 0)) return NONE;
    long number = atomic_fetch_add(&counted, 1) + 1, at = atol(setting("FAULT_AT"));
    if (at == 0 || number < at || (number > at && !*setting("FAULT_STAYS"))) return NONE;
    int is_write = strcmp(kind, "write") == 0;
    if (strncmp(how, "power-", 6) == 0) {
        durable_lost(how + 6);
        how = "kill";
    }
    if (strcmp(how, "kill") == 0 || (strcmp(how, "torn") == 0 && !is_write)) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (strcmp(how, "torn") == 0) return TORN;
    if (strcmp(how, "short") == 0) return is_write ? SHORT : NONE;
    errno = strcmp(how, "ENOSPC") == 0 ? ENOSPC
        : strcmp(how, "EDQUOT") == 0 ? EDQUOT
        : strcmp(how, "EACCES") == 0 ? EACCES
                                      : EIO;
    return FAILS;
}

/* Lets the kernel fail all calls that rename, whoever makes them. */
__attribute__((constructor)) static void fail_renames(void) {
    if (strcmp(setting("FAULT_CALL"), "renames") != 0) return;
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_rename
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rename, 3, 0),
#else
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 3, 0),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        perror("seccomp");
        abort();
    }
}

__attribute__((destructor)) static void tell_count(void) {
    const char *file = getenv("FAULT_COUNT");
    FILE *out = file ? fopen(file, "w") : NULL;
    if (out) {
        fprintf(out, "%ld\n", atomic_load(&counted));
        fclose(out);
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t half(enum fault what, ssize_t written) {
    if (what == TORN) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return written;
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
    enum fault what = fault("write", is_descriptor_below(descriptor));
    if (what == FAILS) return -1;
    if (what == NONE || size < 2) return REAL(write)(descriptor, bytes, size);
    return half(what, REAL(write)(descriptor, bytes, size / 2));
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    enum fault what = fault("write", is_descriptor_below(descriptor));
    if (what == FAILS) return -1;
    if (what == NONE || count < 2) return REAL(writev)(descriptor, parts, count);
    return half(what, REAL(writev)(descriptor, parts, count / 2));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t size, off64_t at) {
    enum fault what = fault("write", is_descriptor_below(descriptor));
    if (what == FAILS) return -1;
    if (what == NONE || size < 2) return REAL(pwrite64)(descriptor, bytes, size, at);
    return half(what, REAL(pwrite64)(descriptor, bytes, size / 2, at));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t at) {
    return pwrite64(descriptor, bytes, size, at);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags) {
    if (fault("write", is_descriptor_below(to)) == FAILS) return -1;
    return REAL(copy_file_range)(from, from_at, to, to_at, size, flags);
}

static int synced(int descriptor, int (*sync)(int)) {
    int is_counted = is_descriptor_below(descriptor);
    if (fault("sync", is_counted) == FAILS) return -1;
    int result = sync(descriptor);
    if (result == 0 && is_counted) durable_synced(descriptor);
    return result;
}

int fsync(int descriptor) { return synced(descriptor, REAL(fsync)); }

int fdatasync(int descriptor) { return synced(descriptor, REAL(fdatasync)); }

int ftruncate64(int descriptor, off64_t size) {
    return fault("truncate", is_descriptor_below(descriptor)) == FAILS ? -1 : REAL(ftruncate64)(descriptor, size);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

int rename(const char *from, const char *to) {
    return fault("rename", is_below(to)) == FAILS ? -1 : REAL(rename)(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return fault("rename", is_below(to)) == FAILS ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (fault("rename", is_below(to)) == FAILS) return -1;
    return REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int unlink(const char *path) {
    return fault("unlink", is_below(path)) == FAILS ? -1 : REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    return fault("unlink", is_below(path)) == FAILS ? -1 : REAL(unlinkat)(folder, path, flags);
}

void *mmap64(void *place, size_t size, int protection, int flags, int descriptor, off64_t at) {
    int is_counted = descriptor >= 0 && is_descriptor_below(descriptor);
    if (is_counted && fault("map", 1) == FAILS) return MAP_FAILED;
    return REAL(mmap64)(place, size, protection, flags, descriptor, at);
}

void *mmap(void *place, size_t size, int protection, int flags, int descriptor, off_t at) {
    return mmap64(place, size, protection, flags, descriptor, at);
}

/* The mode of an open call, which is there only where a file may be made. */
#define MODE(mode, flags)                               \
    mode_t mode = 0;                                    \
    if ((flags) & (O_CREAT | O_TMPFILE)) {              \
        va_list rest;                                   \
        va_start(rest, flags);                          \
        mode = va_arg(rest, mode_t);                    \
        va_end(rest);                                   \
    }

int open64(const char *path, int flags, ...) {
    MODE(mode, flags)
    return fault("open", is_below(path)) == FAILS ? -1 : REAL(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    MODE(mode, flags)
    return fault("open", is_below(path)) == FAILS ? -1 : REAL(open)(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(mode, flags)
    return fault("open", is_below(path)) == FAILS ? -1 : REAL(openat64)(folder, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(mode, flags)
    return fault("open", is_below(path)) == FAILS ? -1 : REAL(openat)(folder, path, flags, mode);
}
