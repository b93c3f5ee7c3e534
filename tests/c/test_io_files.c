/* test_io_files.c -- files: failing system calls, crashes, what is no regular file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io_test.h"

static void arm(int64_t fail_at, int64_t die_at, int error)
{
    calls_inject(&(struct call_faults){.fail_at = fail_at, .die_at = die_at, .error = error});
}

static void disarm(void) { calls_inject(NULL); }

static enum status load_list(struct tensor_list *list, const char *from)
{
    struct file_bytes bytes;
    enum status status = file_read(&bytes, from, FILE_READ_LIMIT);
    if (status != STATUS_OK) return status;
    status = bytes.size > 1 && memcmp(bytes.data, "PK", 2) == 0
                 ? npz_read(list, bytes.data, bytes.size, 1 << 20)
                 : safetensors_read(list, bytes.data, bytes.size);
    file_bytes_free(&bytes);
    return status;
}

static enum status load_one(struct tensor **out, const char *from, size_t limit)
{
    struct file_bytes bytes;
    enum status status = file_read(&bytes, from, FILE_READ_LIMIT);
    if (status != STATUS_OK) return status;
    status = bytes.data[0] == 0x93 ? npy_read(out, bytes.data, bytes.size, limit)
                                   : png_read(out, bytes.data, bytes.size, limit);
    file_bytes_free(&bytes);
    return status;
}

/* Which of the two versions does the file hold? 0: neither. */
static int version(void)
{
    struct tensor_list list = {0};
    int result = 0;
    if (load_list(&list, path) == STATUS_OK && list.n == 1)
        result = (int)array_get(&list.tensors[0]->array, 0);
    tensor_list_free(&list);
    return result;
}

/* Save a file of more than one buffer, whose elements are all `value`. */
static enum status save(int value)
{
    struct tensor_list list = {0};
    enum status status = STATUS_OK;
    struct tensor *t = NULL;
    status = tensor_new(&t, FLOAT64, 1, (int64_t[]){20000});
    for (int64_t i = 0; status == STATUS_OK && i < 20000; i++) array_set(&t->array, i, value);
    if (status == STATUS_OK) status = tensor_list_add(&list, "x", 1, t);
    if (status != STATUS_OK)
        tensor_release(t);
    else
        status = npz_save(path, &list);
    tensor_list_free(&list);
    return status;
}

static void test_failing_calls(void)
{
    static const int errors[] = {ENOSPC, EIO, EMFILE, EACCES};
    for (int e = 0; e < 4; e++) {
        enum status status = STATUS_IO;
        int k = 0;
        CHECK(save(1) == STATUS_OK);
        for (; k < 100; k++) {
            arm(k, -1, errors[e]);
            status = save(2);
            disarm();
            int now = version();
            CHECK(entries_in_folder() == 1);
            /* A folder that cannot be opened or whose last close fails does no harm; after a failed fsync of
             * it the file is new. */
            CHECK(now == (status == STATUS_OK || strstr(status_message(), "in place") ? 2 : 1));
            CHECK(status == STATUS_OK ||
                  (status == STATUS_IO && strstr(status_message(), strerror(errors[e]))));
            if (calls_count() <= k) break;
            CHECK(save(1) == STATUS_OK);
        }
        CHECK(status == STATUS_OK && k > 6);
        for (k = 0; k < 100; k++) {
            arm(k, -1, errors[e]);
            int read_back = version();
            disarm();
            CHECK(read_back == 2 || (k < calls_count() && strstr(status_message(), strerror(errors[e]))));
            if (calls_count() <= k) break;
        }
        CHECK(k > 2 && k < 100);
    }
}

static void test_partial_and_interrupted(void)
{
    for (int mode = 0; mode < 3; mode++) {
        calls_inject(&(struct call_faults){
            .fail_at = -1, .die_at = -1, .partial = mode != 1, .interrupts = mode != 0});
        CHECK(save(3) == STATUS_OK);
        CHECK(version() == 3);
        disarm();
    }
    interrupt_request();
    CHECK(save(4) == STATUS_INTERRUPTED && version() == 3 && entries_in_folder() == 1);
    interrupt_request();
    struct tensor_list list = {0};
    CHECK(load_list(&list, path) == STATUS_INTERRUPTED && version() == 3);
    struct file_bytes packed = {(unsigned char *)(uintptr_t)gzip_idx, sizeof gzip_idx - 1}, unpacked = {0};
    interrupt_request();
    CHECK(file_gunzip(&unpacked, &packed, 100) == STATUS_INTERRUPTED);
}

static void test_crashes(void)
{
    CHECK(save(1) == STATUS_OK);
    for (int k = 0;; k++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            arm(-1, k, 0);
            _exit(save(2) == STATUS_OK ? 0 : 1);
        }
        int ended = 0;
        CHECK(waitpid(child, &ended, 0) == child && (WIFSIGNALED(ended) || WEXITSTATUS(ended) == 0));
        int now = version();
        CHECK(now == 1 || now == 2);
        if (WIFEXITED(ended) || k > 100) break;
        CHECK(save(1) == STATUS_OK);
    }
    CHECK(version() == 2);
    char command[300];
    snprintf(command, sizeof command, "rm -f %s/.tide-*.part", folder); /* what a killed process leaves */
    CHECK(system(command) == 0 && entries_in_folder() == 1);
}

/* One failed write is enough: later calls fail alike, though the disk has room again, and the old file
 * stays. */
static void test_failure_is_remembered(void)
{
    static const char text[100000] = "new";
    for (int where = 0; where < 2; where++) {
        struct file_writer *w = NULL;
        CHECK(save(1) == STATUS_OK && file_writer_open(&w, path) == STATUS_OK);
        CHECK(file_writer_write(w, "new", 3) == STATUS_OK && entries_in_folder() == 2);
        arm(0, -1, ENOSPC);
        enum status status = where ? file_writer_flush(w) : file_writer_write(w, text, sizeof text);
        disarm();
        CHECK(status == STATUS_IO && strstr(status_message(), strerror(ENOSPC)));
        CHECK(file_writer_write(w, "new", 3) == STATUS_IO && strstr(status_message(), strerror(ENOSPC)));
        CHECK(file_writer_flush(w) == STATUS_IO && strstr(status_message(), strerror(ENOSPC)));
        CHECK(file_writer_close(w, STATUS_OK) == STATUS_IO && strstr(status_message(), strerror(ENOSPC)));
        CHECK(version() == 1 && entries_in_folder() == 1);
    }
}

/* A program that ends by exit() leaves nothing; its child does not take the parent's file away. */
static void test_exit(void)
{
    struct file_writer *w = NULL;
    CHECK(file_writer_open(&w, path) == STATUS_OK && entries_in_folder() == 2);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct file_writer *own = NULL;
        exit(file_writer_open(&own, path) == STATUS_OK && entries_in_folder() == 3 ? 0 : 1);
    }
    int ended = 0;
    CHECK(waitpid(child, &ended, 0) == child && WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    CHECK(entries_in_folder() == 2);
    CHECK(file_writer_close(w, STATUS_IO) == STATUS_IO && entries_in_folder() == 1);
}

/* Two that write to one name: each is whole, the later one stays. */
static void test_two_writers(void)
{
    struct file_writer *first = NULL, *second = NULL;
    struct file_bytes bytes = {0};
    CHECK(file_writer_open(&first, path) == STATUS_OK && file_writer_open(&second, path) == STATUS_OK);
    CHECK(file_writer_write(first, "first", 5) == STATUS_OK &&
          file_writer_write(second, "second", 6) == STATUS_OK);
    CHECK(file_writer_close(second, STATUS_OK) == STATUS_OK &&
          file_writer_close(first, STATUS_OK) == STATUS_OK);
    CHECK(file_read(&bytes, path, 100) == STATUS_OK && bytes.size == 5 &&
          memcmp(bytes.data, "first", 5) == 0 && entries_in_folder() == 1);
    file_bytes_free(&bytes);
}

static void test_memory_failures_of_files(void)
{
    struct memory_stats before = memory_get_stats();
    CHECK(save(1) == STATUS_OK);
    for (int sticky = 0; sticky < 2; sticky++)
        for (int after = 0, done = 0; !done; after++) {
            memory_fail_after(after, sticky);
            enum status status = save(2);
            memory_fail_after(-1, 0);
            done = status == STATUS_OK;
            CHECK(done || status == STATUS_MEMORY);
            CHECK(version() == (done ? 2 : sticky ? version() : 1));
            CHECK(memory_get_stats().live_blocks == before.live_blocks && entries_in_folder() == 1);
        }
    for (int after = 0, done = 0; !done; after++) {
        memory_fail_after(after, 1);
        done = version() == 2;
        memory_fail_after(-1, 0);
        CHECK(memory_get_stats().live_blocks == before.live_blocks);
    }
}

static void check_refused(const char *target, const char *words)
{
    struct tensor *t = NULL;
    CHECK(load_one(&t, target, 99) == STATUS_IO && strstr(status_message(), words));
    t = make(UINT8, 0, NULL);
    CHECK(npy_save(target, &t->array) == STATUS_IO && strstr(status_message(), words));
    tensor_release(t);
}

static void test_special_files(void)
{
    char name[300], other[300];
    struct tensor *t = NULL;
    check_refused(folder, "folder");
    check_refused("/dev/zero", "device");
    check_refused("", "No such file");
    snprintf(name, sizeof name, "%s/missing/x.npy", folder);
    check_refused(name, "No such file");
    snprintf(name, sizeof name, "%s/fifo", folder);
    CHECK(mkfifo(name, 0600) == 0);
    check_refused(name, "pipe");
    CHECK(unlink(name) == 0);
    /* So long that there is no room for the name of the temporary, and too long at all. */
    char longest[5000];
    int n = snprintf(longest, sizeof longest, "%s", folder);
    for (; n < 4085; n += 2) memcpy(longest + n, "/.", 2);
    strcpy(longest + n, "/x");
    t = make(UINT8, 1, (int64_t[]){3});
    CHECK(npy_save(longest, &t->array) == STATUS_IO && strstr(status_message(), strerror(ENAMETOOLONG)));
    memset(longest, 'a', 4500);
    longest[4500] = 0;
    CHECK(npy_save(longest, &t->array) == STATUS_IO && strstr(status_message(), "longer"));
    /* A link is written through; one that leads nowhere is refused. The mode of the old file stays. */
    struct stat st;
    struct tensor *back = NULL;
    snprintf(other, sizeof other, "%s/target.npy", folder);
    snprintf(name, sizeof name, "%s/link.npy", folder);
    CHECK(symlink(other, name) == 0);
    check_refused(name, "No such file");
    CHECK(npy_save(other, &t->array) == STATUS_OK && chmod(other, 0640) == 0);
    CHECK(npy_save(name, &t->array) == STATUS_OK && lstat(name, &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(stat(other, &st) == 0 && (st.st_mode & 0777) == 0640 &&
          load_one(&back, name, 1 << 20) == STATUS_OK);
    struct file_bytes bytes;
    CHECK(file_read(&bytes, name, 10) == STATUS_FORMAT && strstr(status_message(), "limit"));
    tensor_release(t);
    tensor_release(back);
    CHECK(unlink(name) == 0 && unlink(other) == 0);
}

static void test_whole_files(void)
{
    char name[300];
    struct tensor *t = NULL;
    struct tensor_list list = {0}, back = {0};
    snprintf(name, sizeof name, "%s/x", folder);
    t = make(UINT8, 3, (int64_t[]){2, 3, 4});
    struct tensor *picture = NULL;
    CHECK(png_save(name, &t->array) == STATUS_OK && load_one(&picture, name, 24) == STATUS_OK &&
          equal(&t->array, &picture->array));
    tensor_release(t);
    tensor_release(picture);
    CHECK(load_one(&picture, name, 23) == STATUS_FORMAT);
    put_file(name, IDX_BYTES, sizeof IDX_BYTES - 1);
    CHECK(idx_load(&t, name, 0) == STATUS_OK && t->array.rank == 2 && array_get(&t->array, 4) == 5);
    tensor_release(t);
    put_file(name, gzip_idx, sizeof gzip_idx - 1);
    CHECK(idx_load(&t, name, 18) == STATUS_OK && t->array.rank == 2 && array_get(&t->array, 4) == 5);
    tensor_release(t);
    CHECK(idx_load(&t, name, 17) == STATUS_FORMAT);
    fill_list(&list);
    CHECK(safetensors_save(name, &list) == STATUS_OK && load_list(&back, name) == STATUS_OK &&
          back.n == list.n);
    tensor_list_free(&back);
    list.names[0][0] = '\xff';
    CHECK(safetensors_save(name, &list) == STATUS_FORMAT && load_list(&back, name) == STATUS_OK &&
          back.n == list.n);
    tensor_list_free(&back);
    tensor_list_free(&list);
    CHECK(unlink(name) == 0);
}

static const struct check_test tests[] = {
    {"failing calls", test_failing_calls},
    {"partial and interrupted", test_partial_and_interrupted},
    {"crashes", test_crashes},
    {"failure is remembered", test_failure_is_remembered},
    {"exit", test_exit},
    {"two writers", test_two_writers},
    {"memory failures of files", test_memory_failures_of_files},
    {"special files", test_special_files},
    {"whole files", test_whole_files},
};

IO_MAIN(tests)
