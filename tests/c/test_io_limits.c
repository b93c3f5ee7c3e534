/* test_io_limits.c -- what compressed files may unpack to. */
#include "io_test.h"

static void test_unpacking_limits(void)
{
    struct tensor_list list = {0};
    CHECK(npz_read(&list, numpy_deflated, sizeof numpy_deflated - 1, 100) == STATUS_FORMAT &&
          strstr(status_message(), "limit"));
    tensor_list_free(&list);
    struct file_bytes packed = {(unsigned char *)(uintptr_t)gzip_idx, sizeof gzip_idx - 1}, unpacked = {0};
    CHECK(file_gunzip(&unpacked, &packed, 17) == STATUS_FORMAT && strstr(status_message(), "limit"));
    CHECK(file_gunzip(&unpacked, &packed, 18) == STATUS_OK && unpacked.size == 18);
    file_bytes_free(&unpacked);
    /* Two members, one after the other, are one file. */
    struct buffer twice = {0};
    append(&twice, gzip_idx, packed.size);
    append(&twice, gzip_idx, packed.size);
    packed = (struct file_bytes){twice.data, twice.size};
    CHECK(file_gunzip(&unpacked, &packed, 100) == STATUS_OK && unpacked.size == 36);
    file_bytes_free(&unpacked);
    free(twice.data);
}

static void test_high_ratio(void)
{
    struct buffer b = gzip_zeros(20000000);
    struct file_bytes packed = {b.data, b.size}, unpacked = {0};
    CHECK(file_gunzip(&unpacked, &packed, SIZE_MAX) == STATUS_OK && unpacked.size == 20000000);
    file_bytes_free(&unpacked);
    CHECK(file_gunzip(&unpacked, &packed, 19999999) == STATUS_FORMAT && strstr(status_message(), "limit"));
    enum status status = STATUS_MEMORY;
    for (int after = 0; status != STATUS_OK; after++) {
        memory_fail_after(after, 0);
        status = file_gunzip(&unpacked, &packed, SIZE_MAX);
        memory_fail_after(-1, 0);
        CHECK(status == STATUS_OK || status == STATUS_MEMORY);
    }
    file_bytes_free(&unpacked);
    free(b.data);
}

static void put_size(unsigned char *to, uint32_t n)
{
    raw_put_little(to, 4, n);
    for (int i = 0; i < 2; i++) {
        unsigned char byte = to[i];
        to[i] = to[3 - i];
        to[3 - i] = byte;
    }
}

/* Load an idx.gz of `claimed` bytes by its header, followed by `n` zeros. The
 * peak of memory. */
static int64_t load_claim(enum status *status, const char *name, uint32_t claimed, size_t n)
{
    struct buffer member = gzip_zeros(n);
    unsigned char head[8] = {0, 0, 8, 1}, member_head[200];
    put_size(head + 4, claimed);
    z_stream z = {0}; /* the header is a gzip member by itself */
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = head, z.avail_in = 8, z.next_out = member_head, z.avail_out = sizeof member_head;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct buffer all = {0};
    append(&all, member_head, z.total_out);
    append(&all, member.data, member.size);
    deflateEnd(&z);
    put_file(name, all.data, all.size);
    free(member.data);
    free(all.data);
    struct tensor *t = NULL;
    struct memory_stats before = memory_get_stats();
    memory_reset_peak();
    *status = idx_load(&t, name, FILE_UNPACK_LIMIT);
    int64_t peak = memory_get_stats().peak_bytes - before.live_bytes;
    CHECK(*status != STATUS_OK || array_numel(&t->array) == (int64_t)n);
    tensor_release(t);
    CHECK(memory_get_stats().live_blocks == before.live_blocks);
    return peak;
}

/* Small files whose headers do not say what they unpack to must not cost what
 * they unpack to. */
static void test_lying_idx(void)
{
    char name[300];
    enum status status;
    size_t n = 100000000, packed = n / 900;
    int64_t bound = ((int64_t)64 << 20) + 4 * (int64_t)packed;
    snprintf(name, sizeof name, "%s/x", folder);
    CHECK(load_claim(&status, name, 2344, n) < 1 << 20);
    CHECK(status == STATUS_FORMAT &&
          strstr(status_message(), "header says 2352 bytes: the gzip data unpack to more than 2353"));
    CHECK(load_claim(&status, name, 2344, 2345) < 1 << 20);
    CHECK(status == STATUS_FORMAT && strstr(status_message(), "the file holds 2345: bytes follow the data"));
    CHECK(load_claim(&status, name, 2344, 2343) < 1 << 20 && status == STATUS_FORMAT);
    CHECK(load_claim(&status, name, 0xfffffff, 1000000) < 1 << 20); /* too few packed bytes */
    CHECK(status == STATUS_FORMAT && strstr(status_message(), "cannot unpack to the 268435463"));
    CHECK(load_claim(&status, name, 0x7fffffff, n) < 1 << 20 && status == STATUS_FORMAT &&
          strstr(status_message(), "limit"));
    CHECK(load_claim(&status, name, 30000000, 29000000) < bound && status == STATUS_FORMAT);
    /* An honest one, larger than the first room. */
    CHECK(load_claim(&status, name, 60000000, 60000000) < 130000000 && status == STATUS_OK);
    for (int after = 0; after < 100; after++) {
        struct tensor *t = NULL;
        memory_fail_after(after, 0);
        status = idx_load(&t, name, FILE_UNPACK_LIMIT);
        memory_fail_after(-1, 0);
        tensor_release(t);
        if (status == STATUS_OK) break;
        CHECK(status == STATUS_MEMORY);
    }
    CHECK(status == STATUS_OK);
    CHECK(unlink(name) == 0);
}

/* An npz whose directory is right, while the header of the array says 8 bytes:
 * n zeros follow. */
static struct buffer zip_of_a_liar(size_t n)
{
    struct buffer zeros = gzip_zeros(n), zip = {0};
    size_t data = 10,
           rest = zeros.size - data - 8; /* between header and trailer of gzip lies the deflate stream */
    static const char header[] = NPY_HEADER("\x37\0{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}");
    unsigned char local[30] = "PK\3\4\x14\0\0\0\x08", central[46] = "PK\1\2\x14\0\x14\0\0\0\x08",
                  end[22] = "PK\5\6\0\0\0\0\1\0\1";
    unsigned char stored[5] = {0}; /* a stored block holds the header, before the block of zeros */
    size_t head = sizeof header - 1, total = n + head;
    raw_put_little(stored + 1, 2, head);
    raw_put_little(stored + 3, 2, ~head & 0xffff);
    raw_put_little(local + 18, 4, rest + 5 + head), raw_put_little(central + 20, 4, rest + 5 + head);
    raw_put_little(local + 22, 4, total), raw_put_little(central + 24, 4, total);
    raw_put_little(local + 26, 2, 5), raw_put_little(central + 28, 2, 5);
    append(&zip, local, sizeof local);
    append(&zip, "x.npy", 5);
    append(&zip, stored, 5);
    append(&zip, header, head);
    append(&zip, zeros.data + data, rest);
    raw_put_little(end + 12, 4, sizeof central + 5), raw_put_little(end + 16, 4, zip.size);
    append(&zip, central, sizeof central);
    append(&zip, "x.npy", 5);
    append(&zip, end, sizeof end);
    free(zeros.data);
    return zip;
}

static void test_lying_npz(void)
{
    struct buffer zip = zip_of_a_liar(100000000);
    struct tensor_list list = {0};
    struct memory_stats before = memory_get_stats();
    memory_reset_peak();
    CHECK(npz_read(&list, zip.data, zip.size, FILE_UNPACK_LIMIT) == STATUS_FORMAT);
    CHECK(memory_get_stats().peak_bytes - before.live_bytes < 1 << 20 &&
          memory_get_stats().live_blocks == before.live_blocks);
    CHECK(strstr(status_message(), "entry \"x.npy\": header says 1 elements of float64 (8 bytes), "
                                   "the file holds 100000000: bytes"));
    for (int after = 0; after < 4; after++) {
        memory_fail_after(after, 0);
        CHECK(npz_read(&list, zip.data, zip.size, FILE_UNPACK_LIMIT) == STATUS_MEMORY);
        memory_fail_after(-1, 0);
    }
    tensor_list_free(&list);
    free(zip.data);
}

/* A zip of one deflated int8 array of n zeros, whose tensor is eight times as
 * large. */
static struct buffer zip_of_narrow(size_t n)
{
    char header[65];
    int head =
        snprintf(header, sizeof header, "{'descr': '|i1', 'fortran_order': False, 'shape': (%zu,)}", n);
    memset(header + head, ' ', 64 - (size_t)head);
    unsigned char *content = calloc(1, n + 74);
    memcpy(content, NPY_HEADER("\x40\0"), 10);
    memcpy(content + 10, header, 64);
    z_stream z = {0};
    struct buffer packed = {malloc(n / 100 + 1000), n / 100 + 1000}, zip = {0};
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = content, z.avail_in = (uInt)n + 74, z.next_out = packed.data, z.avail_out = (uInt)packed.size;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    packed.size = z.total_out;
    deflateEnd(&z);
    unsigned char local[30] = "PK\3\4\x14\0\0\0\x08", central[46] = "PK\1\2\x14\0\x14\0\0\0\x08",
                  end[22] = "PK\5\6\0\0\0\0\1\0\1";
    uLong sum = crc32_z(0, content, n + 74);
    raw_put_little(local + 14, 4, sum), raw_put_little(central + 16, 4, sum);
    raw_put_little(local + 18, 4, packed.size), raw_put_little(central + 20, 4, packed.size);
    raw_put_little(local + 22, 4, n + 74), raw_put_little(central + 24, 4, n + 74);
    raw_put_little(local + 26, 2, 5), raw_put_little(central + 28, 2, 5);
    append(&zip, local, sizeof local);
    append(&zip, "x.npy", 5);
    append(&zip, packed.data, packed.size);
    raw_put_little(end + 12, 4, sizeof central + 5), raw_put_little(end + 16, 4, zip.size);
    append(&zip, central, sizeof central);
    append(&zip, "x.npy", 5);
    append(&zip, end, sizeof end);
    free(packed.data);
    free(content);
    return zip;
}

/* The limit of a compressed file counts what its tensors take, not only what
 * comes out of the stream. */
static void test_widened_limit(void)
{
    for (int large = 0; large < 2; large++) {
        size_t n = large ? 20000000 : 1000000; /* above and below the size from which the
                                                  header is looked at first */
        struct buffer zip = zip_of_narrow(n);
        struct tensor_list list = {0};
        struct memory_stats before = memory_get_stats();
        memory_reset_peak();
        CHECK(npz_read(&list, zip.data, zip.size, 8 * n - 1) == STATUS_FORMAT &&
              strstr(status_message(), "int64; the limit leaves"));
        CHECK(memory_get_stats().peak_bytes - before.live_bytes < (int64_t)(large ? 1 << 20 : 2 * n));
        CHECK(npz_read(&list, zip.data, zip.size, 8 * n) == STATUS_OK && list.n == 1);
        tensor_list_free(&list);
        free(zip.data);
    }
    char name[300];
    struct tensor *t = NULL;
    snprintf(name, sizeof name, "%s/x", folder);
    unsigned char wide[12] = {0, 0, 9, 1, 0, 0, 0, 4, 1, 2, 3, 4}; /* four int8 */
    z_stream z = {0};
    unsigned char out[200];
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = wide, z.avail_in = 12, z.next_out = out, z.avail_out = sizeof out;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    put_file(name, out, z.total_out);
    deflateEnd(&z);
    CHECK(idx_load(&t, name, 31) == STATUS_FORMAT && strstr(status_message(), "the limit"));
    CHECK(idx_load(&t, name, 32) == STATUS_OK && t->array.dtype == INT64);
    tensor_release(t);
    put_file(name, wide, 12);
    CHECK(idx_load(&t, name, 1) == STATUS_OK); /* nothing is compressed */
    tensor_release(t);
    CHECK(unlink(name) == 0);
}

static const struct check_test tests[] = {
    {"unpacking limits", test_unpacking_limits}, {"high ratio", test_high_ratio},
    {"headers of idx that lie", test_lying_idx}, {"headers of npz that lie", test_lying_npz},
    {"widened limit", test_widened_limit},
};

IO_MAIN(tests)
