/* Fails the system calls that a journal depends on, as a broken disk does. FAIL is "sync" or "write", AFTER a number of calls. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int syncs, writes;

static int fails(const char *what, atomic_int *count) {
    const char *wanted = getenv("FAIL"), *after = getenv("AFTER");
    return wanted && after && !strcmp(wanted, what) && atomic_fetch_add(count, 1) >= atoi(after);
}

int fdatasync(int file) {
    if (fails("sync", &syncs)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

/* Half of it, then the error: what was begun stays. */
ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    if (fails("write", &writes)) {
        if (length > 8) {
            return real(file, bytes, length / 2, offset);
        }
        errno = EIO;
        return -1;
    }
    return real(file, bytes, length, offset);
}
