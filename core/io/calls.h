/* calls.h -- the system calls of core/io behind one seam, so that tests can make each of them fail, do a part
 * only, or be the last one.
 *
 * As the calls of POSIX of the same names: -1 and errno on failure. close always closes and unlink always
 * tries, whatever is injected: a test that counts descriptors and files then sees what the callers forgot. */
#ifndef IO_CALLS_H
#define IO_CALLS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct call_faults {
    int64_t fail_at; /* this call (0 is the next one) fails with `error`; -1: none */
    int error;       /* of errno.h */
    int sticky;      /* and so do all that follow */
    int64_t die_at;  /* the process is killed in place of this call; -1: none */
    int partial;     /* read and write do 7 bytes at most */
    int interrupts;  /* every second call of those that may is interrupted (EINTR) */
};

/* NULL switches the injection off. For tests; one thread. */
void calls_inject(const struct call_faults *faults);
/* Calls since the last injection. */
int64_t calls_count(void);

int call_open(const char *path, int flags, mode_t mode);
ssize_t call_read(int fd, void *to, size_t n);
ssize_t call_write(int fd, const void *from, size_t n);
int call_fchmod(int fd, mode_t mode);
int call_fstat(int fd, struct stat *st);
int call_lstat(const char *path, struct stat *st);
int call_access(const char *path, int mode);
int call_fsync(int fd);
int call_close(int fd);
int call_rename(const char *from, const char *to);
int call_unlink(const char *path);

#endif
