#include "io/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct call_faults faults;
static int armed;
static int64_t calls;

void calls_inject(const struct call_faults *given)
{
    armed = given != NULL;
    if (armed) {
        faults = *given;
        calls = 0;
    }
}

int64_t calls_count(void) { return calls; }

/* Does this call fail? POSIX knows no EINTR for some. */
static int fails(int interruptible)
{
    if (!armed) return 0;
    int64_t call = calls++;
    if (call == faults.die_at) raise(SIGKILL);
    if (faults.interrupts && interruptible && call % 2 == 0) {
        errno = EINTR;
        return 1;
    }
    if (faults.fail_at < 0 || call < faults.fail_at || (call > faults.fail_at && !faults.sticky)) return 0;
    errno = faults.error;
    return 1;
}

static size_t part(size_t n) { return armed && faults.partial && n > 7 ? 7 : n; }

int call_open(const char *path, int flags, mode_t mode) { return fails(1) ? -1 : open(path, flags, mode); }
ssize_t call_read(int fd, void *to, size_t n) { return fails(1) ? -1 : read(fd, to, part(n)); }
ssize_t call_write(int fd, const void *from, size_t n) { return fails(1) ? -1 : write(fd, from, part(n)); }
int call_fchmod(int fd, mode_t mode) { return fails(1) ? -1 : fchmod(fd, mode); }
int call_fstat(int fd, struct stat *st) { return fails(0) ? -1 : fstat(fd, st); }
int call_lstat(const char *path, struct stat *st) { return fails(0) ? -1 : lstat(path, st); }
int call_access(const char *path, int mode) { return fails(0) ? -1 : access(path, mode); }
int call_fsync(int fd) { return fails(1) ? -1 : fsync(fd); }
int call_rename(const char *from, const char *to) { return fails(0) ? -1 : rename(from, to); }

int call_close(int fd)
{
    int failed = fails(1), error = errno, result = close(fd);
    if (failed) errno = error;
    return failed ? -1 : result;
}

int call_unlink(const char *path)
{
    (void)fails(0);
    return unlink(path);
}
