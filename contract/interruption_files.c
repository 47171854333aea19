/* Loaded before the C library by LD_PRELOAD: makes one file call of the calling thread fail on request. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* left: 0: no failure is requested; -1: it has happened */
static _Thread_local int left, number, cut;

/* The `n`-th call from now fails with error `e`. If `c` is not 0, the `n`-th write is short instead, and the next
   call fails unless `e` is 0. Returns the calls that were left until the failure requested before, or -1 if it has
   happened. */
int contract_fail_file(int n, int e, int c) {
    const int before = left;
    left = n;
    number = e;
    cut = c;
    return before;
}

static int must_fail(void) {
    if (cut || left <= 0) return 0;
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
    if (cut && left == 1 && count > 1) {
        cut = 0;
        left = number ? 1 : -1;
        return REAL(write)(file, bytes, count / 2);
    }
    if (cut && left > 1) left--;
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
