#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/tuning.h"
#include "io/calls.h"

#define BUFFER_SIZE ((size_t)1 << 16)

static enum status io_error(const char *what)
{
    return status_set(STATUS_IO, "%s: %s", what, strerror(errno));
}

static int open_retry(const char *path, int flags, mode_t mode)
{
    int fd;
    do fd = call_open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int fsync_retry(int fd)
{
    int failed;
    do failed = call_fsync(fd);
    while (failed && errno == EINTR);
    return failed;
}

static int fchmod_retry(int fd, mode_t mode)
{
    int failed;
    do failed = call_fchmod(fd, mode);
    while (failed && errno == EINTR);
    return failed;
}

static enum status read_all(int fd, unsigned char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        TRY(interrupt_poll());
        ssize_t n =
            call_read(fd, data + done, size - done < FILE_PIECE_BYTES ? size - done : FILE_PIECE_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error("read");
        if (n == 0)
            return status_set(STATUS_IO, "the file shrank from %zu to %zu bytes while it was read", size,
                              done);
        done += (size_t)n;
    }
    return STATUS_OK;
}

enum status file_read(struct file_bytes *out, const char *path, size_t limit)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer; it has no effect on regular files. */
    int fd = open_retry(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return status_set(STATUS_IO, "%s", strerror(errno));
    struct file_bytes bytes = {0};
    enum status status = STATUS_OK;
    struct stat st;
    if (call_fstat(fd, &st))
        status = io_error("fstat");
    else if (!S_ISREG(st.st_mode))
        status = status_set(STATUS_IO, "it is a %s, not a regular file",
                            S_ISDIR(st.st_mode) ? "folder" : "device, pipe or socket");
    else if ((uintmax_t)st.st_size > limit)
        status = status_set(STATUS_FORMAT, "the file has %lld bytes; the limit is %zu", (long long)st.st_size,
                            limit);
    if (status == STATUS_OK) {
        bytes.size = (size_t)st.st_size;
        bytes.data = memory_alloc(bytes.size);
        status = bytes.data ? read_all(fd, bytes.data, bytes.size) : memory_status();
    }
    call_close(fd);
    if (status != STATUS_OK)
        file_bytes_free(&bytes);
    else
        *out = bytes;
    return status;
}

void file_bytes_free(struct file_bytes *bytes)
{
    memory_free(bytes->data);
    *bytes = (struct file_bytes){0};
}

/* ---- writing ---- */

struct file_writer {
    int fd, folder_fd; /* folder_fd is -1 when the folder may be written but not read */
    int mode;          /* of the file to be replaced, or -1 */
    pid_t owner;
    size_t used;
    struct file_writer *next; /* of those that are open */
    enum status failed;       /* the first failure; everything after it fails alike */
    char reason[256];
    char path[PATH_MAX];
    char temporary[PATH_MAX]; /* empty when there is none to remove */
    unsigned char buffer[BUFFER_SIZE];
};

/* A program that ends by exit() leaves no temporary files behind. A child that was forked leaves its parent's
 * alone. */
static struct file_writer *open_writers;

static void remove_temporaries(void)
{
    for (struct file_writer *w = open_writers; w; w = w->next)
        if (w->temporary[0] && w->owner == getpid()) call_unlink(w->temporary);
    open_writers = NULL;
}

static void remember(struct file_writer *w)
{
    static int registered;
    if (!registered) registered = atexit(remove_temporaries) == 0;
    w->owner = getpid();
    w->next = open_writers;
    open_writers = w;
}

static void forget(const struct file_writer *w)
{
    struct file_writer **at = &open_writers;
    while (*at && *at != w) at = &(*at)->next;
    if (*at) *at = w->next;
}

static enum status note(struct file_writer *w, enum status status)
{
    if (status != STATUS_OK && w->failed == STATUS_OK) {
        w->failed = status;
        snprintf(w->reason, sizeof w->reason, "%s", status_message());
    }
    return status;
}

/* STATUS_OK, or the first failure once more. */
static enum status failure(const struct file_writer *w)
{
    return w->failed == STATUS_OK ? STATUS_OK : status_set(w->failed, "%s", w->reason);
}

static enum status check_target(struct file_writer *w, const char *path)
{
    struct stat st;
    if (strlen(path) >= sizeof w->path)
        return status_set(STATUS_IO, "the path is longer than %zu bytes", sizeof w->path - 1);
    strcpy(w->path, path);
    w->mode = -1;
    if (call_lstat(path, &st))
        return errno == ENOENT ? STATUS_OK : status_set(STATUS_IO, "%s", strerror(errno));
    if (S_ISLNK(st.st_mode) && (!realpath(path, w->path) || stat(w->path, &st)))
        return io_error("it is a symbolic link that leads nowhere");
    if (!S_ISREG(st.st_mode))
        return status_set(STATUS_IO, "it is a %s, not a regular file",
                          S_ISDIR(st.st_mode) ? "folder" : "device, pipe or socket");
    /* rename would replace even a write-protected file. */
    if (call_access(w->path, W_OK)) return status_set(STATUS_IO, "%s", strerror(errno));
    w->mode = (int)(st.st_mode & 0777);
    return STATUS_OK;
}

/* The kernel applies the umask to a new file; one that replaces an old file is private until it has the old
 * one's mode. */
static enum status open_temporary(struct file_writer *w)
{
    static atomic_uint counter;
    const char *slash = strrchr(w->path, '/');
    int folder = slash ? (int)(slash - w->path) + 1 : 0;
    for (int attempt = 0; attempt < 1000; attempt++) {
        int n = snprintf(w->temporary, sizeof w->temporary, "%.*s.tide-%ld-%u.part", folder, w->path,
                         (long)getpid(), atomic_fetch_add(&counter, 1));
        if (n < 0 || (size_t)n >= sizeof w->temporary) {
            errno = ENAMETOOLONG;
            break;
        }
        w->fd = open_retry(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, w->mode < 0 ? 0666 : 0600);
        if (w->fd >= 0) {
            if (w->mode < 0 || !fchmod_retry(w->fd, (mode_t)w->mode)) return STATUS_OK;
            return io_error("fchmod of the temporary file");
        }
        if (errno != EEXIST) break;
    }
    w->temporary[0] = 0; /* not ours */
    return io_error("cannot make a temporary file in its folder");
}

static enum status open_folder(struct file_writer *w)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(w->path, '/');
    size_t n = slash ? (size_t)(slash - w->path) + 1 : 0;
    memcpy(folder, w->path, n);
    folder[n] = 0;
    w->folder_fd = open_retry(n ? folder : ".", O_RDONLY | O_DIRECTORY, 0);
    return w->folder_fd < 0 && errno != EACCES ? io_error("cannot open its folder") : STATUS_OK;
}

/* Close what is open and remove the temporary file if it is still there. */
static void writer_free(struct file_writer *w)
{
    forget(w);
    if (w->fd >= 0) call_close(w->fd);
    if (w->temporary[0]) call_unlink(w->temporary);
    if (w->folder_fd >= 0) call_close(w->folder_fd);
    memory_free(w);
}

enum status file_writer_open(struct file_writer **out, const char *path)
{
    struct file_writer *w = memory_alloc(sizeof *w);
    if (!w) return memory_status();
    w->fd = w->folder_fd = -1;
    w->used = 0;
    w->failed = STATUS_OK;
    w->temporary[0] = 0;
    remember(w);
    enum status status = check_target(w, path);
    if (status == STATUS_OK) status = open_folder(w);
    if (status == STATUS_OK) status = open_temporary(w);
    if (status == STATUS_OK)
        *out = w;
    else
        writer_free(w);
    return status;
}

static enum status write_all(int fd, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        TRY(interrupt_poll());
        ssize_t done = call_write(fd, bytes, n < FILE_PIECE_BYTES ? n : FILE_PIECE_BYTES);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return io_error("write");
        if (done == 0) return status_set(STATUS_IO, "write: the system took no more bytes");
        bytes += done;
        n -= (size_t)done;
    }
    return STATUS_OK;
}

static enum status flush(struct file_writer *w)
{
    size_t n = w->used;
    w->used = 0;
    return note(w, write_all(w->fd, w->buffer, n));
}

enum status file_writer_write(void *writer, const void *bytes, size_t n)
{
    struct file_writer *w = writer;
    TRY(failure(w));
    if (n > BUFFER_SIZE - w->used) TRY(flush(w));
    if (n > BUFFER_SIZE) return note(w, write_all(w->fd, bytes, n));
    if (n) memcpy(w->buffer + w->used, bytes, n);
    w->used += n;
    return STATUS_OK;
}

enum status file_writer_flush(struct file_writer *w)
{
    TRY(failure(w));
    return flush(w);
}

const char *file_writer_temporary(const struct file_writer *w) { return w->temporary; }

static enum status finish(struct file_writer *w)
{
    TRY(file_writer_flush(w));
    if (fsync_retry(w->fd)) return io_error("fsync");
    int failed = call_close(w->fd);
    w->fd = -1;
    if (failed && errno != EINTR) return io_error("close");
    if (call_rename(w->temporary, w->path)) return io_error("rename of the temporary file");
    w->temporary[0] = 0;
    /* Some file systems have no fsync of folders. */
    if (w->folder_fd >= 0 && fsync_retry(w->folder_fd) && errno != EINVAL && errno != ENOTSUP)
        return io_error("the file is in place, but fsync of its folder failed");
    return STATUS_OK;
}

enum status file_writer_close(struct file_writer *writer, enum status status)
{
    if (status == STATUS_OK) status = finish(writer);
    writer_free(writer);
    return status;
}
