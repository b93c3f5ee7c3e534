/* test_io_png.c -- pictures: values, strides, mutations behind right checksums,
 * sizes that lie. */
#include <math.h>

#include "io_test.h"

/* Right checksums for whatever chunks there are, so that the changes before
 * them reach libpng. */
static void repair_png(unsigned char *bytes, size_t size)
{
    for (size_t at = 8; at + 12 <= size;) {
        size_t n = (size_t)raw_big(bytes + at, 4);
        if (n > size - at - 12) n = size - at - 12;
        uint32_t sum = (uint32_t)crc32(0, bytes + at + 4, (uInt)n + 4);
        for (int i = 0; i < 4; i++) {
            bytes[at + (size_t)i] = (unsigned char)(n >> (24 - 8 * i));
            bytes[at + 8 + n + (size_t)i] = (unsigned char)(sum >> (24 - 8 * i));
        }
        at += 12 + n;
    }
}

/* Mutations that the checksums do not see; and IDAT whose deflated bytes are
 * right again but whose lengths, filters, sizes are not. */
static void test_png_mutations(void)
{
    int accepted = 0, refused = 0;
    for (int round = 0, rounds = 20000 * fuzz_factor(); round < rounds; round++) {
        struct sample s = samples[sample_count - 1 - round % 3];
        CHECK(s.format == PNG);
        unsigned char *bytes = malloc(s.size);
        memcpy(bytes, s.bytes, s.size);
        for (uint32_t edits = 1 + draw(3); edits > 0; edits--) {
            size_t at = 8 + draw(round % 4 ? (uint32_t)s.size - 8 : 25);
            bytes[at] = (unsigned char)(draw(2) ? draw(256) : bytes[at] ^ (1u << draw(8)));
        }
        repair_png(bytes, s.size);
        *(probe(PNG, bytes, s.size) == STATUS_OK ? &accepted : &refused) += 1;
        free(bytes);
    }
    CHECK(accepted > 100 && refused > 1000);
}

static void check_png(const void *bytes, size_t size, int64_t channels, const double *values)
{
    struct tensor *t = NULL;
    CHECK(png_read(&t, bytes, size, 1000) == STATUS_OK);
    if (!t) return;
    CHECK(t->array.dtype == UINT8 && t->array.rank == 3 && t->array.shape[0] == channels &&
          t->array.shape[1] == 2 && t->array.shape[2] == 3);
    for (int64_t i = 0; i < 6 * channels; i++) CHECK(array_get(&t->array, i) == values[i]);
    tensor_release(t);
}

static void check_png_refused(const struct array *a, enum status status, const char *words)
{
    struct buffer b = {0};
    CHECK(png_write(a, append, &b) == status && strstr(status_message(), words) && b.size == 0);
    free(b.data);
}

static void test_png_read(void)
{
    check_png(png_palette, sizeof png_palette - 1, 4,
              (double[]){255, 0, 0,   0,   0, 255, 0,   255, 0,   0,   255, 0,
                         0,   0, 255, 255, 0, 0,   255, 128, 255, 255, 128, 255});
    check_png(png_interlaced, sizeof png_interlaced - 1, 1, (double[]){10, 20, 30, 40, 50, 60});
    struct tensor *t = NULL;
    CHECK(png_read(&t, png_palette, sizeof png_palette - 1, 23) == STATUS_FORMAT &&
          strstr(status_message(), "the limit is 23"));
}

static void test_png_strides(void)
{
    struct tensor *t = NULL, *back = NULL;
    for (int64_t channels = 0; channels <= 4; channels++) { /* 0: no such axis */
        struct tensor *base = make(UINT8, 3, (int64_t[]){channels ? channels : 1, 7, 5});
        struct array a = base->array;
        a.shape[1] = 5, a.shape[2] = 7, a.stride[1] = -1, a.stride[2] = 5, a.data = (char *)a.data + 4;
        CHECK(tensor_view(&t, base, &a) == STATUS_OK);
        struct array flat = a;
        flat.rank = 2;
        for (int i = 0; i < 2; i++) flat.shape[i] = a.shape[i + 1], flat.stride[i] = a.stride[i + 1];
        struct buffer b = {0};
        CHECK(png_write(channels ? &a : &flat, append, &b) == STATUS_OK);
        CHECK(png_read(&back, b.data, b.size, 1000) == STATUS_OK && equal(&back->array, &a));
        free(b.data);
        tensor_release(back);
        tensor_release(t);
        tensor_release(base);
    }
}

static void test_png_of_floats(void)
{
    struct tensor *t = make(FLOAT64, 2, (int64_t[]){1, 6}), *back = NULL;
    static const double given[] = {0, 1, -3, 1e300, 0.5, 127.4 / 255}, stored[] = {0, 255, 0, 255, 128, 127};
    memcpy(t->array.data, given, sizeof given);
    struct buffer b = {0};
    CHECK(png_write(&t->array, append, &b) == STATUS_OK &&
          png_read(&back, b.data, b.size, 1000) == STATUS_OK);
    for (int i = 0; i < 6; i++) CHECK(array_get(&back->array, i) == stored[i]);
    free(b.data);
    tensor_release(back);
    array_set(&t->array, 4, NAN);
    check_png_refused(&t->array, STATUS_ARGUMENT, "channel 1, row 1, column 5 is NaN");
    struct array a = t->array;
    a.rank = 1;
    check_png_refused(&a, STATUS_SHAPE, "got {1}");
    a = t->array;
    a.shape[1] = 0;
    check_png_refused(&a, STATUS_UNSUPPORTED, "1 to 1000000 pixels");
    a.shape[0] = a.shape[1] = 1000000;
    a.stride[0] = a.stride[1] = 0;
    check_png_refused(&a, STATUS_UNSUPPORTED, "bytes of pixels");
    a.dtype = INT64;
    check_png_refused(&a, STATUS_DTYPE, "int64");
    tensor_release(t);
}

/* A few bytes that claim a picture of a hundred megapixels, and one that is as
 * well packed as can be. */
static void test_png_ratio(void)
{
    unsigned char bytes[sizeof png_interlaced - 1];
    struct tensor *t = NULL, *zeros = NULL;
    memcpy(bytes, png_interlaced, sizeof bytes);
    bytes[17] = bytes[21] = 1;
    repair_png(bytes, sizeof bytes);
    CHECK(png_read(&t, bytes, sizeof bytes, SIZE_MAX) == STATUS_FORMAT &&
          strstr(status_message(), "cannot come out of"));
    struct buffer b = {0};
    CHECK(tensor_new(&zeros, UINT8, 3, (int64_t[]){4, 1500, 1500}) == STATUS_OK);
    memset(zeros->array.data, 0, 4 * 1500 * 1500);
    CHECK(png_write(&zeros->array, append, &b) == STATUS_OK &&
          png_read(&t, b.data, b.size, SIZE_MAX) == STATUS_OK);
    CHECK(equal(&t->array, &zeros->array));
    tensor_release(t);
    tensor_release(zeros);
    free(b.data);
}

static enum status append_and_interrupt(void *context, const void *bytes, size_t n)
{
    interrupt_request();
    return append(context, bytes, n);
}

static enum status refuse(void *context, const void *bytes, size_t n)
{
    (void)context, (void)bytes;
    return n ? status_set(STATUS_IO, "no room") : STATUS_OK;
}

/* Ctrl-C and a full disk while libpng is at work. */
static void test_png_stopped(void)
{
    struct tensor *t = make(UINT8, 3, (int64_t[]){3, 100, 100}), *back = NULL;
    for (int64_t i = 0; i < 30000; i++) array_set(&t->array, i, draw(256)); /* does not shrink: many writes */
    struct memory_stats before = memory_get_stats();
    struct buffer b = {0};
    CHECK(png_write(&t->array, refuse, NULL) == STATUS_IO && strcmp(status_message(), "no room") == 0);
    interrupt_request();
    CHECK(png_write(&t->array, append, &b) == STATUS_INTERRUPTED && b.size == 0);
    CHECK(png_write(&t->array, append_and_interrupt, &b) == STATUS_INTERRUPTED && b.size > 0);
    interrupt_clear();
    b.size = 0;
    CHECK(png_write(&t->array, append, &b) == STATUS_OK);
    interrupt_request();
    CHECK(png_read(&back, b.data, b.size, SIZE_MAX) == STATUS_INTERRUPTED && !back && !interrupt_pending());
    CHECK(png_read(&back, b.data, b.size, SIZE_MAX) == STATUS_OK);
    tensor_release(back);
    CHECK(memory_get_stats().live_blocks == before.live_blocks);
    tensor_release(t);
    free(b.data);
}

static void test_png_memory_failures(void)
{
    struct tensor *t = make(FLOAT32, 3, (int64_t[]){3, 4, 5});
    struct memory_stats before = memory_get_stats();
    enum status status = STATUS_MEMORY;
    for (int after = 0; status != STATUS_OK; after++) {
        struct buffer b = {0};
        memory_fail_after(after, 0);
        status = png_write(&t->array, append, &b);
        memory_fail_after(-1, 0);
        CHECK(status == STATUS_OK || (status == STATUS_MEMORY && b.size == 0 && after < 10));
        CHECK(memory_get_stats().live_blocks == before.live_blocks);
        free(b.data);
    }
    tensor_release(t);
}

static const struct check_test tests[] = {
    {"png mutations", test_png_mutations},
    {"png read", test_png_read},
    {"png strides", test_png_strides},
    {"png of floats", test_png_of_floats},
    {"png ratio", test_png_ratio},
    {"png stopped", test_png_stopped},
    {"png memory failures", test_png_memory_failures},
};

IO_MAIN(tests)
