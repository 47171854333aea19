/* Put before the C library's by LD_PRELOAD: one of the calling thread's calls on files fails when asked to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* 0: none is to fail; -1: one has failed */
static _Thread_local int left, number, is_short;

/* The `n`-th call from now fails with error `e`; with `s` a write is cut short before it, if it is a write that comes.
   Returns -1 when the failure asked for before has happened, else what was left. */
int contract_fail_file(int n, int e, int s) {
    const int before = left;
    left = n;
    number = e;
    is_short = s;
    return before;
}

static int must_fail(void) {
    if (left <= 0) return 0;
    left = left == 1 ? -1 : left - 1;
    if (left == -1) errno = number;
    return left == -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static mode_t mode_of(int flags, va_list arguments) { return flags & 0100 ? va_arg(arguments, mode_t) : 0; }

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    return must_fail() ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return must_fail() ? -1 : real(path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (left == 1 && is_short && count > 1) { /* the next call fails */
        is_short = 0;
        return REAL(write)(file, bytes, count / 2);
    }
    return must_fail() ? -1 : REAL(write)(file, bytes, count);
}

int fsync(int file) { return must_fail() ? -1 : REAL(fsync)(file); }

int rename(const char *from, const char *to) { return must_fail() ? -1 : REAL(rename)(from, to); }

int chmod(const char *path, mode_t mode) { return must_fail() ? -1 : REAL(chmod)(path, mode); }

/* Like the system's: the file is closed whatever is returned. */
int close(int file) {
    const int failed = must_fail(), result = REAL(close)(file);
    if (failed) errno = number;
    return failed ? -1 : result;
}
