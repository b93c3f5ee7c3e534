/* test_io.c -- readers and writers of core/io: round trips, hostile bytes, failing memory, failing system calls, crashes.
 *
 * Samples that NumPy made stand as bytes; their contents are known. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "io/calls.h"
#include "io/idx.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/png.h"
#include "io/safetensors.h"

static int failed_checks;

#define CHECK(condition)                                                                                                           \
    do {                                                                                                                           \
        if (!(condition)) {                                                                                                        \
            if (failed_checks++ < 20) printf("%s:%d: %s (last message: %s)\n", __FILE__, __LINE__, #condition, status_message());  \
        }                                                                                                                          \
    } while (0)

static void arm(int64_t fail_at, int64_t die_at, int error)
{
    calls_inject(&(struct call_faults){.fail_at = fail_at, .die_at = die_at, .error = error});
}

static void disarm(void) { calls_inject(NULL); }

/* ---- bytes, tensors, formats under one interface ---- */

struct buffer {
    unsigned char *data; /* from malloc, so that memory_stats counts the engine's blocks only */
    size_t size;
};

static enum status append(void *context, const void *bytes, size_t n)
{
    struct buffer *b = context;
    b->data = realloc(b->data, b->size + n + 1);
    memcpy(b->data + b->size, bytes, n);
    b->size += n;
    return STATUS_OK;
}

static struct tensor *make(enum dtype dtype, int rank, const int64_t *shape)
{
    struct tensor *t = NULL;
    CHECK(tensor_new(&t, dtype, rank, shape) == STATUS_OK);
    for (int64_t i = 0; i < array_numel(&t->array); i++) array_set(&t->array, i, (double)(i * 7 % 251));
    return t;
}

static int equal(const struct array *a, const struct array *b)
{
    if (a->dtype != b->dtype || !array_same_shape(a, b)) return 0;
    for (int64_t i = 0; i < array_numel(a); i++)
        if (memcmp(array_at(a, i), array_at(b, i), dtype_size(a->dtype)) != 0) return 0;
    return 1;
}

static enum status one(struct tensor_list *list, enum status (*read_one)(struct tensor **, const unsigned char *, size_t),
                       const unsigned char *bytes, size_t size)
{
    struct tensor *t = NULL;
    TRY(read_one(&t, bytes, size));
    enum status status = tensor_list_add(list, "x", 1, t);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

static enum status read_npy_whole(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return npy_read(out, bytes, size, SIZE_MAX);
}
static enum status read_idx_whole(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return idx_read(out, bytes, size, SIZE_MAX);
}
static enum status read_npy(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_npy_whole, bytes, size);
}
static enum status read_idx(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_idx_whole, bytes, size);
}
static enum status read_npz(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return npz_read(list, bytes, size, 1 << 20);
}

static enum status read_gzip(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    struct file_bytes packed = {(unsigned char *)(uintptr_t)bytes, size}, unpacked = {0};
    TRY(file_gunzip(&unpacked, &packed, 1 << 20));
    enum status status = read_idx(list, unpacked.data, unpacked.size);
    file_bytes_free(&unpacked);
    return status;
}

static enum status read_png_limited(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return png_read(out, bytes, size, 1 << 18);
}
static enum status read_png(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_png_limited, bytes, size);
}

static enum status write_png(const struct tensor_list *list, raw_sink *sink, void *context)
{
    return png_write(&list->tensors[0]->array, sink, context);
}

static enum status write_npy(const struct tensor_list *list, raw_sink *sink, void *context)
{
    return npy_write(&list->tensors[0]->array, sink, context);
}

static const struct format {
    const char *name;
    enum status (*read)(struct tensor_list *, const unsigned char *, size_t);
    enum status (*write)(const struct tensor_list *, raw_sink *, void *); /* NULL: no writer */
} formats[] = {
    {"npy", read_npy, write_npy}, {"npz", read_npz, npz_write}, {"safetensors", safetensors_read, safetensors_write},
    {"idx", read_idx, NULL},      {"gzip", read_gzip, NULL},    {"png", read_png, write_png},
};

#define NPY (&formats[0])
#define NPZ (&formats[1])
#define SAFETENSORS (&formats[2])
#define IDX (&formats[3])
#define GZIP (&formats[4])
#define PNG (&formats[5])

static void add(struct tensor_list *list, const char *name, struct tensor *owned)
{
    CHECK(tensor_list_add(list, name, strlen(name), owned) == STATUS_OK);
}

static void fill_list(struct tensor_list *list)
{
    add(list, "w", make(FLOAT32, 2, (int64_t[]){2, 3}));
    add(list, "layers.1.b\"\xc3\xa9", make(FLOAT64, 1, (int64_t[]){4}));
    add(list, "n", make(INT64, 0, NULL));
    add(list, "mask", make(UINT8, 3, (int64_t[]){1, 0, 2}));
    add(list, "bytes", make(UINT8, 1, (int64_t[]){5}));
}

static const unsigned char numpy_deflated[] =
    "\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\x4f\xe9\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
    "\x14\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00\x00\x00\x00\x55\x00\x00\x00\x00\x00\x00\x00\x9b"
    "\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x66\xa2\xae\xa3\xa0\x9e"
    "\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a"
    "\x46\x3a\x0a\xc6\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x30\x68\xb0\x07\x12\x0e\x40\x04\xc4\x0d\x40\xbc\xc0\x01\x00"
    "\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\x9a\xfb\xf5\x23\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
    "\x14\x00\x62\x2e\x6e\x70\x79\x01\x00\x10\x00\x90\x00\x00\x00\x00\x00\x00\x00\x4b\x00\x00\x00\x00\x00\x00\x00\x9b"
    "\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x69\xa1\xae\xa3\xa0\x9e"
    "\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a"
    "\x46\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\x2e\x46\x06\x08\xf8\xf7\x1f\x02\x00\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00"
    "\x08\x00\x00\x00\x21\x00\x4f\xe9\x00\x2a\x55\x00\x00\x00\x98\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x80\x01\x00\x00\x00\x00\x61\x2e\x6e\x70\x79\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00\x08\x00\x00\x00\x21"
    "\x00\x9a\xfb\xf5\x23\x4b\x00\x00\x00\x90\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x8c"
    "\x00\x00\x00\x62\x2e\x6e\x70\x79\x50\x4b\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00\x66\x00\x00\x00\x0e\x01\x00\x00"
    "\x00\x00";
static const unsigned char numpy_stream[] =
    "\x50\x4b\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00"
    "\x00\x00\x61\x2e\x6e\x70\x79\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0"
    "\x6e\x93\x66\xa2\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a"
    "\x17\x67\x24\x16\xa4\x02\xf9\x1a\x46\x3a\x0a\xc6\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x30\x68\xb0\x07\x12\x0e\x40"
    "\x04\xc4\x0d\x40\xbc\xc0\x01\x00\x50\x4b\x07\x08\x4f\xe9\x00\x2a\x55\x00\x00\x00\x98\x00\x00\x00\x50\x4b\x03\x04"
    "\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x62\x2e"
    "\x6e\x70\x79\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x69\xa1"
    "\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16"
    "\xa4\x02\xf9\x1a\x46\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\x2e\x46\x06\x08\xf8\xf7\x1f\x02\x00\x50\x4b\x07\x08\x9a\xfb"
    "\xf5\x23\x4b\x00\x00\x00\x90\x00\x00\x00\x50\x4b\x01\x02\x14\x03\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x4f\xe9"
    "\x00\x2a\x55\x00\x00\x00\x98\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00"
    "\x61\x2e\x6e\x70\x79\x50\x4b\x01\x02\x14\x03\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x9a\xfb\xf5\x23\x4b\x00\x00"
    "\x00\x90\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x88\x00\x00\x00\x62\x2e\x6e\x70\x79"
    "\x50\x4b\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00\x66\x00\x00\x00\x06\x01\x00\x00\x00\x00";
static const unsigned char numpy_zip64[] =
    "\x50\x4b\x03\x04\x2d\x00\x00\x00\x00\x00\x0a\xbb\x74\x5d\x4f\xe9\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
    "\x14\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00\x00\x00\x00\x98\x00\x00\x00\x00\x00\x00\x00\x93"
    "\x4e\x55\x4d\x50\x59\x01\x00\x76\x00\x7b\x27\x64\x65\x73\x63\x72\x27\x3a\x20\x27\x3c\x66\x34\x27\x2c\x20\x27\x66"
    "\x6f\x72\x74\x72\x61\x6e\x5f\x6f\x72\x64\x65\x72\x27\x3a\x20\x46\x61\x6c\x73\x65\x2c\x20\x27\x73\x68\x61\x70\x65"
    "\x27\x3a\x20\x28\x32\x2c\x20\x33\x29\x2c\x20\x7d\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20"
    "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20"
    "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x0a\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40\x00"
    "\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00\x00\x00\x0a\xbb\x74\x5d\x4f"
    "\xe9\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00"
    "\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00\x00\x00\x00\x98\x00\x00\x00\x00\x00\x00\x00\x50\x4b"
    "\x06\x06\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"
    "\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x47\x00\x00\x00\x00\x00\x00\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x50\x4b"
    "\x06\x07\x00\x00\x00\x00\x16\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00"
    "\x01\x00\x47\x00\x00\x00\xcf\x00\x00\x00\x00\x00";
static const unsigned char gzip_idx[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x63\x60\xe0\x60\x62\x60\x60\x00\x61\x66\x46\x26\x66\x16\x56\x36\x00\x48"
    "\x94\x3e\xe5\x12\x00\x00\x00";

/* 3 x 2 pixels of a palette with transparency, 2 bits each; the same size interlaced, 8 bits of grey: 10, 20, ..., 60. */
static const unsigned char png_palette[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x02\x03\x00\x00"
    "\x00\xe0\x1a\x8e\x89\x00\x00\x00\x09\x50\x4c\x54\x45\xff\x00\x00\x00\xff\x00\x00\x00\xff\x2d\x4a\xcd\x8a\x00\x00"
    "\x00\x02\x74\x52\x4e\x53\xff\x80\x08\x0f\xb3\x6a\x00\x00\x00\x0c\x49\x44\x41\x54\x78\xda\x63\x90\x60\x98\x00\x00"
    "\x00\xdc\x00\xa9\x52\x1a\x13\x8f\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
static const unsigned char png_interlaced[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x08\x00\x00\x00"
    "\x01\xcf\x18\x09\x50\x00\x00\x00\x12\x49\x44\x41\x54\x78\xda\x63\xe0\x62\x90\x63\x10\x61\xd0\x30\xb2\x01\x00\x02"
    "\xb2\x00\xd3\xe5\xa3\xa5\xab\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

#define IDX_BYTES "\0\0\x08\x02\0\0\0\x02\0\0\0\x03\1\2\3\4\5\6"
#define NPY_HEADER(text) "\x93NUMPY\1\0" text

struct sample {
    const struct format *format;
    const unsigned char *bytes;
    size_t size;
};

static struct sample samples[12];
static int sample_count;

static void add_sample(const struct format *format, const void *bytes, size_t size)
{
    samples[sample_count++] = (struct sample){format, bytes, size};
}

/* One valid file of every kind; those of our own writers leak into `samples` until exit frees them. */
static struct buffer written[4];

static void make_samples(void)
{
    struct tensor_list list = {0};
    fill_list(&list);
    for (int i = 0; i < 3; i++) {
        CHECK(formats[i].write(&list, append, &written[i]) == STATUS_OK);
        add_sample(&formats[i], written[i].data, written[i].size);
    }
    tensor_list_free(&list);
    add_sample(NPZ, numpy_deflated, sizeof numpy_deflated - 1);
    add_sample(NPZ, numpy_stream, sizeof numpy_stream - 1);
    add_sample(NPZ, numpy_zip64, sizeof numpy_zip64 - 1);
    add_sample(IDX, IDX_BYTES, sizeof IDX_BYTES - 1);
    add_sample(GZIP, gzip_idx, sizeof gzip_idx - 1);
    struct tensor *picture = make(UINT8, 3, (int64_t[]){3, 5, 4});
    CHECK(png_write(&picture->array, append, &written[3]) == STATUS_OK);
    tensor_release(picture);
    add_sample(PNG, written[3].data, written[3].size);
    add_sample(PNG, png_palette, sizeof png_palette - 1);
    add_sample(PNG, png_interlaced, sizeof png_interlaced - 1);
}

/* ---- tests ---- */

static void test_round_trip(void)
{
    for (int i = 0; i < 3; i++) {
        struct tensor_list list = {0}, back = {0};
        struct buffer b = {0};
        fill_list(&list);
        CHECK(formats[i].write(&list, append, &b) == STATUS_OK);
        CHECK(formats[i].read(&back, b.data, b.size) == STATUS_OK);
        CHECK(back.n == (i ? list.n : 1));
        for (int k = 0; k < back.n; k++) {
            struct tensor *t = tensor_list_find(&back, list.names[k]);
            if (i) CHECK(t && equal(&t->array, &list.tensors[k]->array));
        }
        CHECK(equal(&list.tensors[0]->array, &(i ? tensor_list_find(&back, "w") : back.tensors[0])->array));
        tensor_list_free(&list);
        tensor_list_free(&back);
        free(b.data);
    }
}

static void test_strides(void)
{
    struct tensor *base = make(FLOAT64, 2, (int64_t[]){70, 80}), *view = NULL, *back = NULL;
    for (int kind = 0; kind < 3; kind++) {
        struct array a = base->array;
        if (kind == 0) a.shape[0] = 80, a.shape[1] = 70, a.stride[0] = 1, a.stride[1] = 80; /* transposed */
        if (kind == 1) a.stride[1] = -1, a.data = (double *)a.data + 79;                    /* reversed */
        if (kind == 2) a.stride[0] = 0;                                                     /* broadcast */
        struct buffer b = {0};
        CHECK(tensor_view(&view, base, &a) == STATUS_OK);
        CHECK(npy_write(&view->array, append, &b) == STATUS_OK && b.size == npy_size(&view->array));
        CHECK(npy_read(&back, b.data, b.size, SIZE_MAX) == STATUS_OK && equal(&view->array, &back->array));
        tensor_release(view);
        tensor_release(back);
        free(b.data);
    }
    tensor_release(base);
}

static void test_numpy_samples(void)
{
    for (int i = 3; i < 6; i++) {
        struct tensor_list list = {0};
        CHECK(samples[i].format->read(&list, samples[i].bytes, samples[i].size) == STATUS_OK);
        struct tensor *a = tensor_list_find(&list, "a"), *b = tensor_list_find(&list, "b");
        CHECK(a && a->array.dtype == FLOAT32 && a->array.rank == 2 && array_get(&a->array, 5) == 5);
        CHECK(i == 5 ? b == NULL : b && b->array.dtype == INT64 && array_get(&b->array, 1) == -2);
        tensor_list_free(&list);
    }
}

/* Header text and data of a .npy file -> its values as int64, or the status. */
static enum status npy_values(const char *header, const void *data, size_t n, int count, double *values)
{
    struct buffer b = {0};
    struct tensor *t = NULL;
    unsigned char length[2];
    raw_put_little(length, 2, strlen(header));
    append(&b, "\x93NUMPY\1\0", 8);
    append(&b, length, 2);
    append(&b, header, strlen(header));
    append(&b, data, n);
    enum status status = npy_read(&t, b.data, b.size, SIZE_MAX);
    for (int i = 0; status == STATUS_OK && i < count; i++) values[i] = array_get(&t->array, i);
    tensor_release(t);
    free(b.data);
    return status;
}

static void test_npy_types(void)
{
    static const struct {
        const char *header;
        const char *data;
        size_t n;
        int count;
        double values[4];
    } rows[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", "\x3f\x80\0\0\xc0\0\0\0", 8, 2, {1, -2}},
        {"{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n", "\xff\xfe\1\0", 4, 2, {-2, 256}},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}", "\xfe\xff\xff\xff\1\0\0\0", 8, 2, {-2, 1}},
        {"{'descr': '|i1', 'fortran_order': False, 'shape': (2L,)}", "\xfe\1", 2, 2, {-2, 1}},
        {"{\"shape\": (2 ,), \"descr\":'<u4', \"fortran_order\" :True}", "\xfe\xff\xff\xff\1\0\0\0", 8, 2, {4294967294, 1}},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\2\0", 2, 2, {1, 0}},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}", "\1\2\3\4", 4, 4, {1, 3, 2, 4}},
        {"{'descr': '>u2', 'fortran_order': True, 'shape': (2, 1, 2)}", "\0\1\0\2\0\3\0\4", 8, 4, {1, 3, 2, 4}},
        {"{'descr': '<u2', 'fortran_order': False, 'shape': ()}", "\1\2", 2, 1, {513}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double got[4] = {0};
        CHECK(npy_values(rows[i].header, rows[i].data, rows[i].n, rows[i].count, got) == STATUS_OK);
        CHECK(memcmp(got, rows[i].values, sizeof got) == 0);
    }
}

/* Every half and every bfloat16 has its value and its bits as float32, NaN payloads too. */
static void test_half_precision(void)
{
    static unsigned char bytes[2 << 16];
    struct raw_layout layout = {.rank = 1, .shape = {1 << 16}};
    for (int i = 0; i < 1 << 16; i++) raw_put_little(bytes + 2 * i, 2, (uint64_t)i);
    for (int kind = 0; kind < 2; kind++) {
        struct tensor *t = NULL;
        layout.kind = kind ? RAW_BF16 : RAW_F16;
        CHECK(raw_read(&t, &layout, bytes, sizeof bytes, 4 << 16) == STATUS_OK && t->array.dtype == FLOAT32);
        for (int i = 0; t && i < 1 << 16; i++) {
            uint32_t bits;
            memcpy(&bits, (float *)t->array.data + i, 4);
            int exponent = i >> 10 & 31, mantissa = i & 1023;
            double value = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
            if (kind)
                CHECK(bits == (uint32_t)i << 16);
            else if (exponent == 31)
                CHECK(bits == ((uint32_t)(i >> 15) << 31 | 0x7f800000u | (uint32_t)mantissa << 13));
            else
                CHECK(((float *)t->array.data)[i] == (float)(i >> 15 ? -value : value) && bits >> 31 == (uint32_t)i >> 15);
        }
        tensor_release(t);
        t = NULL;
        CHECK(raw_read(&t, &layout, bytes, sizeof bytes, (4 << 16) - 1) == STATUS_FORMAT && strstr(status_message(), "limit"));
    }
    double values[4] = {0};
    CHECK(npy_values("{'descr': '>f2', 'fortran_order': True, 'shape': (2, 2)}", "\x3c\0\x40\0\xc2\0\0\1", 8, 4, values) == STATUS_OK);
    CHECK(values[0] == 1 && values[1] == -3 && values[2] == 2 && values[3] == ldexp(1, -24));
    CHECK(npy_values("{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}", "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, 1, values) == STATUS_OK);
    CHECK(npy_values("{'descr': '>u8', 'fortran_order': False, 'shape': (1,)}", "\x80\0\0\0\0\0\0\0", 8, 1, values) == STATUS_UNSUPPORTED);
    CHECK(strstr(status_message(), "uint64 9223372036854775808; int64 ends at 2^63 - 1"));
}

/* What cannot be read harms the others only when it is asked for. */
static void test_wanted_names(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\"ab\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[3,4]}}";
    struct buffer b = {0};
    struct tensor_list list = {0}, wanted = {0};
    unsigned char length[8];
    raw_put_little(length, 8, sizeof header - 1);
    append(&b, length, 8);
    append(&b, header, sizeof header - 1);
    append(&b, "\1\2\3\4", 4);
    CHECK(safetensors_read(&list, b.data, b.size) == STATUS_UNSUPPORTED);
    CHECK(strstr(status_message(), "tensor \"a\": its dtype F8_E4M3 cannot be read"));
    CHECK(strstr(status_message(), "the others can be read with the option names = {\"b\", \"ab\"}"));
    tensor_list_free(&list);
    CHECK(tensor_list_add(&wanted, "b", 1, NULL) == STATUS_OK);
    list.wanted = &wanted;
    CHECK(safetensors_read(&list, b.data, b.size) == STATUS_OK && list.n == 1 && array_get(&list.tensors[0]->array, 0) == 3);
    tensor_list_free(&list);
    CHECK(tensor_list_add(&wanted, "abc", 3, NULL) == STATUS_OK);
    tensor_list_sort(&wanted);
    CHECK(tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, "abcd", 3) && !tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, "abcd", 4));
    list.wanted = &wanted;
    CHECK(safetensors_read(&list, b.data, b.size) == STATUS_ARGUMENT && strstr(status_message(), "no tensor \"abc\" in it; it holds \"b\", \"ab\""));
    tensor_list_free(&list);
    list.wanted = &wanted;
    CHECK(npz_read(&list, numpy_deflated, sizeof numpy_deflated - 1, 1 << 20) == STATUS_ARGUMENT);
    CHECK(strstr(status_message(), "no tensor \"abc\" in it; it holds \"a\", \"b\""));
    tensor_list_free(&list);
    tensor_list_free(&wanted);
    free(b.data);
    for (int i = 0; i < 2000; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", 2 * i);
        CHECK(tensor_list_add(&wanted, name, strlen(name), NULL) == STATUS_OK);
    }
    tensor_list_sort(&wanted);
    for (int i = 0; i < 4000; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        CHECK(tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, name, strlen(name)) == (i % 2 == 0));
    }
    tensor_list_free(&wanted);
}

static void test_npy_refused(void)
{
    static const char *const rows[][2] = {
        {"", "{"},
        {"{}", "must all"},
        {"{'descr': '<f4'}", "must all"},
        {"{'descr': '<f4' 'shape': ()}", "comma"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': ()}", "never loaded"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", "structured"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': ()}", "unknown dtype"},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': ()}", "unknown dtype"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': ()}", "save the real and the imaginary part"},
        {"{'descr': '|f4', 'fortran_order': False, 'shape': ()}", "unknown dtype"},
        {"{'descr': '', 'fortran_order': False, 'shape': ()}", "unknown dtype"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", "twice"},
        {"{'descr': '<f4', 'order': False, 'shape': ()}", "unknown"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "neither"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 3}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3 4)}", "comma"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "no size"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,)}", "comma"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "axes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483648,)}", "above"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647)}", "2^63"},
        {"{'descr': '<i1', 'fortran_order': False, 'shape': (2147483647, 2147483647, 0)}", "2^63"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647,)}", "(8589934588 bytes), the file holds 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "bytes follow"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "follows"},
        {"{'descr' '<f4'}", "colon"},
        {"{'descr': '<f4", "end"},
        {"{1: 2}", "quoted"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", "no size"},
    };
    double values[4];
    CHECK(npy_values("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "abcd", 4, 1, values) == STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum status status = npy_values(rows[i][0], "abcd", 4, 0, values);
        int dtype = strstr(status_message(), "readable are") || strstr(status_message(), "structured");
        CHECK(status == (dtype ? STATUS_UNSUPPORTED : STATUS_FORMAT));
        if (!strstr(status_message(), rows[i][1])) printf("%s\n", rows[i][0]);
        CHECK(strstr(status_message(), rows[i][1]));
    }
    struct tensor *t = NULL;
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\4\0    ", 12, SIZE_MAX) == STATUS_FORMAT && strstr(status_message(), "version 4.0"));
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\2\0\xff\xff\xff\xff", 12, SIZE_MAX) == STATUS_FORMAT);
    CHECK(strstr(status_message(), "claims 4294967295"));
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\1\0\xff\xff\xff\xff", 12, SIZE_MAX) == STATUS_FORMAT);
}

/* Is this JSON header with `n` data bytes refused, and with these words? */
static void check_json(const char *header, size_t n, const char *words)
{
    struct buffer b = {0};
    struct tensor_list list = {0};
    unsigned char length[8];
    raw_put_little(length, 8, strlen(header));
    append(&b, length, 8);
    append(&b, header, strlen(header));
    append(&b, "0123456789abcdef", n);
    enum status status = safetensors_read(&list, b.data, b.size);
    CHECK(status == (words ? STATUS_FORMAT : STATUS_OK));
    if (words && !strstr(status_message(), words)) printf("%s\n", header);
    CHECK(!words || strstr(status_message(), words));
    tensor_list_free(&list);
    free(b.data);
}

static void test_safetensors_refused(void)
{
#define T(name, shape, begin, end) "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
    check_json("{}", 0, NULL);
    check_json("{\"__metadata__\":{\"a\":\"b\\u00e9\\ud83d\\ude00\",\"c\":\"\"}, " T("x", "[2]", 0, 8) " }  ", 8, NULL);
    check_json("{\"__metadata__\":{}," T("\\ud83d\\ude00\\n", "[]", 0, 4) "," T("\xc3\xa9", "[0,3]", 4, 4) "}", 4, NULL);
    check_json("", 0, "{ is expected");
    check_json(" {}", 0, "{ is expected");
    check_json("{}\n", 0, "only spaces");
    check_json("{}", 1, "1 bytes follow");
    check_json("{" T("x", "[2]", 0, 8) ",}", 8, "string is expected");
    check_json("{" T("x", "[2]", 0, 8) "," T("y", "[1]", 4, 8) "}", 8, "overlap");
    check_json("{" T("x", "[1]", 0, 4) "," T("y", "[1]", 8, 12) "}", 12, "a gap");
    check_json("{" T("x", "[1]", 0, 4) "," T("x", "[1]", 4, 8) "}", 8, "twice");
    check_json("{" T("x", "[2]", 0, 8) "}", 7, "end at byte 8 of 7");
    check_json("{" T("x", "[2]", 8, 0) "}", 8, "begin at 8");
    check_json("{" T("x", "[3]", 0, 8) "}", 8, "says 3 elements of float32 (12 bytes), the file holds 8");
    check_json("{" T("x", "[2147483647,2147483647,2147483647]", 0, 8) "}", 8, "2^63");
    check_json("{" T("x", "[2147483648]", 0, 8) "}", 8, "sizes lie in");
    check_json("{" T("x", "[-1]", 0, 8) "}", 8, "whole number");
    check_json("{" T("x", "[02]", 0, 8) "}", 8, "whole number");
    check_json("{" T("x", "[2.0]", 0, 8) "}", 8, "] is expected");
    check_json("{" T("x", "[9223372036854775808]", 0, 8) "}", 8, "whole number");
    check_json("{" T("x", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", 8, "8 axes");
    check_json("{" T("", "[2]", 0, 8) "}", 8, "without a name");
    check_json("{" T("\\u0000", "[2]", 0, 8) "}", 8, "NUL");
    check_json("{" T("\\ud800", "[2]", 0, 8) "}", 8, "surrogate");
    check_json("{" T("\\ud800\\u0041", "[2]", 0, 8) "}", 8, "surrogate");
    check_json("{" T("\\udc00", "[2]", 0, 8) "}", 8, "surrogate");
    check_json("{" T("\\u00g0", "[2]", 0, 8) "}", 8, "hexadecimal");
    check_json("{" T("\\x", "[2]", 0, 8) "}", 8, "escape");
    check_json("{" T("\xff", "[2]", 0, 8) "}", 8, "UTF-8");
    check_json("{" T("\xed\xa0\x80", "[2]", 0, 8) "}", 8, "UTF-8");
    check_json("{" T("\xf4\x90\x80\x80", "[2]", 0, 8) "}", 8, "UTF-8");
    check_json("{" T("a\nb", "[2]", 0, 8) "}", 8, "control character");
    check_json("{\"abc", 0, "does not end");
    check_json("{\"x\":{\"dtype\":\"F32\"}}", 0, "must all");
    check_json("{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, "twice");
    check_json("{\"x\":{\"type\":\"F32\"}}", 0, "unknown");
    check_json("{\"x\":[]}", 0, "{ is expected");
    check_json("{\"x\" 1}", 0, "colon");
    check_json("{\"__metadata__\":{\"a\":1}}", 0, "string is expected");
    check_json("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
    struct tensor_list list = {0};
    CHECK(safetensors_read(&list, (const unsigned char *)"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10) == STATUS_FORMAT);
    CHECK(safetensors_read(&list, (const unsigned char *)"\x09\0\0\0\0\0\0\0{}", 10) == STATUS_FORMAT);
    CHECK(safetensors_read(&list, (const unsigned char *)"\x01", 1) == STATUS_FORMAT);
}

static void test_names_refused(void)
{
    static const char *const names[] = {"", "__metadata__", "\xff"};
    for (int i = 0; i < 5; i++) {
        struct buffer b = {0};
        struct tensor_list list = {0};
        char *strange = NULL;
        add(&list, "x", make(UINT8, 0, NULL));
        add(&list, "x", make(UINT8, 0, NULL));
        if (i < 3) strange = list.names[1], list.names[1] = memory_strdup(names[i]);
        CHECK((i == 4 ? NPZ : SAFETENSORS)->write(&list, append, &b) == STATUS_FORMAT);
        memory_free(strange);
        tensor_list_free(&list);
        free(b.data);
    }
    struct tensor_list list = {0};
    CHECK(tensor_list_add(&list, "a\0b", 3, NULL) == STATUS_FORMAT && list.n == 0);
}

/* Read, and if it is accepted write and read again: the same bits. Never much memory, nothing left. */
static enum status probe(const struct format *format, const unsigned char *bytes, size_t size)
{
    struct memory_stats before = memory_get_stats();
    struct tensor_list list = {0}, back = {0};
    struct buffer b = {0};
    /* An exact copy on the heap, so that the sanitizer sees each byte read too far. */
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    memory_reset_peak();
    enum status status = format->read(&list, copy, size);
    CHECK(memory_get_stats().peak_bytes - before.live_bytes < (1 << 20) + 4 * (int64_t)size);
    if (status == STATUS_OK && format->write) {
        CHECK(format->write(&list, append, &b) == STATUS_OK);
        CHECK(format->read(&back, b.data, b.size) == STATUS_OK && back.n == list.n);
        for (int i = 0; i < back.n && i < list.n; i++) {
            struct tensor *t = tensor_list_find(&back, list.names[i]);
            CHECK(t && equal(&t->array, &list.tensors[i]->array));
        }
    }
    tensor_list_free(&list);
    tensor_list_free(&back);
    free(b.data);
    free(copy);
    CHECK(memory_get_stats().live_blocks == before.live_blocks);
    return status;
}

static void test_truncated(void)
{
    for (int i = 0; i < sample_count; i++) {
        struct sample s = samples[i];
        unsigned char *longer = malloc(s.size + 1);
        memcpy(longer, s.bytes, s.size);
        longer[s.size] = 0;
        CHECK(probe(s.format, s.bytes, s.size) == STATUS_OK);
        CHECK(probe(s.format, longer, s.size + 1) == STATUS_FORMAT);
        for (size_t n = 0; n < s.size; n++) CHECK(probe(s.format, s.bytes, n) == STATUS_FORMAT);
        free(longer);
    }
}

static void test_corrupted(void)
{
    for (int i = 0; i < sample_count; i++) {
        struct sample s = samples[i];
        unsigned char *bytes = malloc(s.size);
        memcpy(bytes, s.bytes, s.size);
        for (size_t at = 0; at < s.size && at < 2000; at++) {
            for (int value = 0; value < 256; value += at % 4 ? 17 : 1) {
                bytes[at] = (unsigned char)value;
                probe(s.format, bytes, s.size);
            }
            bytes[at] = s.bytes[at] ^ 1;
            enum status status = probe(s.format, bytes, s.size);
            /* The checksum of gzip sees every change behind its ten bytes of header, those of PNG every one. */
            if ((s.format == GZIP && at > 9) || s.format == PNG) CHECK(status == STATUS_FORMAT);
            bytes[at] = s.bytes[at];
        }
        free(bytes);
    }
}

static uint32_t random_state = 12345;

static uint32_t draw(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

static void test_mutations(void)
{
    static const char *const words[] = {"\xff\xff\xff\xff", "\0\0\0\0",         "(",         "[", "{", "}", "\"", "\\u",
                                        "9999999999",       "\x7f\xff\xff\xff", "PK\x05\x06"};
    for (int round = 0; round < 24000; round++) {
        struct sample s = samples[round % sample_count];
        size_t room = s.size + 64, size = s.size;
        unsigned char *bytes = calloc(1, room);
        memcpy(bytes, s.bytes, s.size);
        for (uint32_t edits = 1 + draw(4); edits > 0; edits--) {
            size_t at = draw((uint32_t)size), n = draw(8);
            const char *word = words[draw(sizeof words / sizeof words[0])];
            switch (draw(5)) {
            case 0: bytes[at] ^= (unsigned char)(1 << n); break;
            case 1: bytes[at] = (unsigned char)draw(256); break;
            case 2: memmove(bytes + at, bytes + at + (at + n < size ? n : 0), size - at - (at + n < size ? n : 0)); break;
            case 3:
                if (at + strlen(word) < size) memcpy(bytes + at, word, strlen(word) ? strlen(word) : 4);
                break;
            default: size = size + n < room ? size + n : size - n;
            }
        }
        probe(s.format, bytes, size);
        free(bytes);
    }
}

/* Right checksums for whatever chunks there are, so that the changes before them reach libpng. */
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

/* Mutations that the checksums do not see; and IDAT whose deflated bytes are right again but whose lengths, filters, sizes are not. */
static void test_png_mutations(void)
{
    int accepted = 0, refused = 0;
    for (int round = 0; round < 20000; round++) {
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
    CHECK(t->array.dtype == UINT8 && t->array.rank == 3 && t->array.shape[0] == channels && t->array.shape[1] == 2 && t->array.shape[2] == 3);
    for (int64_t i = 0; i < 6 * channels; i++) CHECK(array_get(&t->array, i) == values[i]);
    tensor_release(t);
}

static void check_png_refused(const struct array *a, enum status status, const char *words)
{
    struct buffer b = {0};
    CHECK(png_write(a, append, &b) == status && strstr(status_message(), words) && b.size == 0);
    free(b.data);
}

static void test_png(void)
{
    check_png(png_palette, sizeof png_palette - 1, 4, (double[]){255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 255, 0,
                                                                 0, 0, 255, 255, 0, 0, 255, 128, 255, 255, 128, 255});
    check_png(png_interlaced, sizeof png_interlaced - 1, 1, (double[]){10, 20, 30, 40, 50, 60});
    struct tensor *t = NULL, *back = NULL;
    CHECK(png_read(&t, png_palette, sizeof png_palette - 1, 23) == STATUS_FORMAT && strstr(status_message(), "the limit is 23"));
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
    t = make(FLOAT64, 2, (int64_t[]){1, 6});
    static const double given[] = {0, 1, -3, 1e300, 0.5, 127.4 / 255}, stored[] = {0, 255, 0, 255, 128, 127};
    memcpy(t->array.data, given, sizeof given);
    struct buffer b = {0};
    CHECK(png_write(&t->array, append, &b) == STATUS_OK && png_read(&back, b.data, b.size, 1000) == STATUS_OK);
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

/* A few bytes that claim a picture of a hundred megapixels, and one that is as well packed as can be. */
static void test_png_ratio(void)
{
    unsigned char bytes[sizeof png_interlaced - 1];
    struct tensor *t = NULL, *zeros = NULL;
    memcpy(bytes, png_interlaced, sizeof bytes);
    bytes[17] = bytes[21] = 1;
    repair_png(bytes, sizeof bytes);
    CHECK(png_read(&t, bytes, sizeof bytes, SIZE_MAX) == STATUS_FORMAT && strstr(status_message(), "cannot come out of"));
    struct buffer b = {0};
    CHECK(tensor_zeros(&zeros, UINT8, 3, (int64_t[]){4, 1500, 1500}) == STATUS_OK);
    CHECK(png_write(&zeros->array, append, &b) == STATUS_OK && png_read(&t, b.data, b.size, SIZE_MAX) == STATUS_OK);
    CHECK(equal(&t->array, &zeros->array));
    tensor_release(t);
    tensor_release(zeros);
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

static void test_memory_failures(void)
{
    for (int i = 0; i < 2 * sample_count; i++) {
        struct sample s = samples[i / 2];
        struct memory_stats before = memory_get_stats();
        enum status status = STATUS_MEMORY;
        for (int after = 0; status != STATUS_OK && after < 1000; after++) {
            struct tensor_list list = {0};
            memory_fail_after(after, i % 2);
            status = s.format->read(&list, s.bytes, s.size);
            memory_fail_after(-1, 0);
            tensor_list_free(&list);
            CHECK(status == STATUS_OK || (status == STATUS_MEMORY && strstr(status_message(), "memory")));
            CHECK(memory_get_stats().live_blocks == before.live_blocks);
            if (status != STATUS_OK && status != STATUS_MEMORY) break;
        }
        CHECK(status == STATUS_OK);
    }
}

/* ---- files ---- */

static char folder[200], path[260];

static int entries_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

/* Which of the two versions does the file hold? 0: neither. */
static int version(void)
{
    struct tensor_list list = {0};
    int result = 0;
    if (npz_load(&list, path, 1 << 20) == STATUS_OK && list.n == 1) result = (int)array_get(&list.tensors[0]->array, 0);
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
            /* A folder that cannot be opened or whose last close fails does no harm; after a failed fsync of it the file is new. */
            CHECK(now == (status == STATUS_OK || strstr(status_message(), "in place") ? 2 : 1));
            CHECK(status == STATUS_OK || (status == STATUS_IO && strstr(status_message(), strerror(errors[e]))));
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
        calls_inject(&(struct call_faults){.fail_at = -1, .die_at = -1, .partial = mode != 1, .interrupts = mode != 0});
        CHECK(save(3) == STATUS_OK);
        CHECK(version() == 3);
        disarm();
    }
    interrupt_request();
    CHECK(save(4) == STATUS_INTERRUPTED && version() == 3 && entries_in_folder() == 1);
    interrupt_request();
    struct tensor_list list = {0};
    CHECK(npz_load(&list, path, 1 << 20) == STATUS_INTERRUPTED && version() == 3);
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

/* One failed write is enough: later calls fail alike, though the disk has room again, and the old file stays. */
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
    CHECK(file_writer_write(first, "first", 5) == STATUS_OK && file_writer_write(second, "second", 6) == STATUS_OK);
    CHECK(file_writer_close(second, STATUS_OK) == STATUS_OK && file_writer_close(first, STATUS_OK) == STATUS_OK);
    CHECK(file_read(&bytes, path, 100) == STATUS_OK && bytes.size == 5 && memcmp(bytes.data, "first", 5) == 0 && entries_in_folder() == 1);
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
    CHECK(npy_load(&t, target) == STATUS_IO && strstr(status_message(), words));
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
    CHECK(stat(other, &st) == 0 && (st.st_mode & 0777) == 0640 && npy_load(&back, name) == STATUS_OK);
    struct file_bytes bytes;
    CHECK(file_read(&bytes, name, 10) == STATUS_FORMAT && strstr(status_message(), "limit"));
    tensor_release(t);
    tensor_release(back);
    CHECK(unlink(name) == 0 && unlink(other) == 0);
}

static void test_unpacking_limits(void)
{
    struct tensor_list list = {0};
    CHECK(npz_read(&list, numpy_deflated, sizeof numpy_deflated - 1, 100) == STATUS_FORMAT && strstr(status_message(), "limit"));
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

/* gzip of n zero bytes */
static struct buffer gzip_zeros(size_t n)
{
    z_stream z = {0};
    struct buffer b = {malloc(n / 100 + 1000), n / 100 + 1000};
    unsigned char *zeros = calloc(1, n);
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = zeros;
    z.avail_in = (uInt)n;
    z.next_out = b.data;
    z.avail_out = (uInt)b.size;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    b.size = z.total_out;
    deflateEnd(&z);
    free(zeros);
    return b;
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

static void put_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(name, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static void test_whole_files(void)
{
    char name[300];
    struct tensor *t = NULL;
    struct tensor_list list = {0}, back = {0};
    snprintf(name, sizeof name, "%s/x", folder);
    t = make(UINT8, 3, (int64_t[]){2, 3, 4});
    struct tensor *picture = NULL;
    CHECK(png_save(name, &t->array) == STATUS_OK && png_load(&picture, name, 24) == STATUS_OK && equal(&t->array, &picture->array));
    tensor_release(t);
    tensor_release(picture);
    CHECK(png_load(&picture, name, 23) == STATUS_FORMAT);
    put_file(name, IDX_BYTES, sizeof IDX_BYTES - 1);
    CHECK(idx_load(&t, name, 0) == STATUS_OK && t->array.rank == 2 && array_get(&t->array, 4) == 5);
    tensor_release(t);
    put_file(name, gzip_idx, sizeof gzip_idx - 1);
    CHECK(idx_load(&t, name, 18) == STATUS_OK && t->array.rank == 2 && array_get(&t->array, 4) == 5);
    tensor_release(t);
    CHECK(idx_load(&t, name, 17) == STATUS_FORMAT);
    fill_list(&list);
    CHECK(safetensors_save(name, &list) == STATUS_OK && safetensors_load(&back, name) == STATUS_OK && back.n == list.n);
    tensor_list_free(&back);
    list.names[0][0] = '\xff';
    CHECK(safetensors_save(name, &list) == STATUS_FORMAT && safetensors_load(&back, name) == STATUS_OK && back.n == list.n);
    tensor_list_free(&back);
    tensor_list_free(&list);
    CHECK(unlink(name) == 0);
    interrupt_request();
    double values[4];
    CHECK(npy_values("{'descr': '>f4', 'fortran_order': False, 'shape': ()}", "abcd", 4, 1, values) == STATUS_INTERRUPTED);
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

/* Load an idx.gz of `claimed` bytes by its header, followed by `n` zeros. The peak of memory. */
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

/* Small files whose headers do not say what they unpack to must not cost what they unpack to. */
static void test_lying_headers(void)
{
    char name[300];
    enum status status;
    size_t n = 100000000, packed = n / 900;
    int64_t bound = ((int64_t)64 << 20) + 4 * (int64_t)packed;
    snprintf(name, sizeof name, "%s/x", folder);
    CHECK(load_claim(&status, name, 2344, n) < 1 << 20);
    CHECK(status == STATUS_FORMAT && strstr(status_message(), "header says 2352 bytes: the gzip data unpack to more than 2353"));
    CHECK(load_claim(&status, name, 2344, 2345) < 1 << 20);
    CHECK(status == STATUS_FORMAT && strstr(status_message(), "the file holds 2345: bytes follow the data"));
    CHECK(load_claim(&status, name, 2344, 2343) < 1 << 20 && status == STATUS_FORMAT);
    CHECK(load_claim(&status, name, 0xfffffff, 1000000) < 1 << 20); /* too few packed bytes */
    CHECK(status == STATUS_FORMAT && strstr(status_message(), "cannot unpack to the 268435463"));
    CHECK(load_claim(&status, name, 0x7fffffff, n) < 1 << 20 && status == STATUS_FORMAT && strstr(status_message(), "limit"));
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

    /* npz: the directory is right, the header of the array says 8 bytes. */
    struct buffer zeros = gzip_zeros(n), zip = {0};
    size_t data = 10, rest = zeros.size - data - 8; /* between header and trailer of gzip lies the deflate stream */
    static const char header[] = NPY_HEADER("\x37\0{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}");
    unsigned char local[30] = "PK\3\4\x14\0\0\0\x08", central[46] = "PK\1\2\x14\0\x14\0\0\0\x08", end[22] = "PK\5\6\0\0\0\0\1\0\1";
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
    struct tensor_list list = {0};
    struct memory_stats before = memory_get_stats();
    memory_reset_peak();
    CHECK(npz_read(&list, zip.data, zip.size, FILE_UNPACK_LIMIT) == STATUS_FORMAT);
    CHECK(memory_get_stats().peak_bytes - before.live_bytes < 1 << 20 && memory_get_stats().live_blocks == before.live_blocks);
    CHECK(strstr(status_message(), "entry \"x.npy\": header says 1 elements of float64 (8 bytes), the file holds 100000000: bytes"));
    for (int after = 0; after < 4; after++) {
        memory_fail_after(after, 0);
        CHECK(npz_read(&list, zip.data, zip.size, FILE_UNPACK_LIMIT) == STATUS_MEMORY);
        memory_fail_after(-1, 0);
    }
    tensor_list_free(&list);
    free(zip.data);
    free(zeros.data);
}

/* A zip of one deflated int8 array of n zeros, whose tensor is eight times as large. */
static struct buffer zip_of_narrow(size_t n)
{
    char header[65];
    int head = snprintf(header, sizeof header, "{'descr': '|i1', 'fortran_order': False, 'shape': (%zu,)}", n);
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
    unsigned char local[30] = "PK\3\4\x14\0\0\0\x08", central[46] = "PK\1\2\x14\0\x14\0\0\0\x08", end[22] = "PK\5\6\0\0\0\0\1\0\1";
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

/* The limit of a compressed file counts what its tensors take, not only what comes out of the stream. */
static void test_widened_limit(void)
{
    for (int large = 0; large < 2; large++) {
        size_t n = large ? 20000000 : 1000000; /* above and below the size from which the header is looked at first */
        struct buffer zip = zip_of_narrow(n);
        struct tensor_list list = {0};
        struct memory_stats before = memory_get_stats();
        memory_reset_peak();
        CHECK(npz_read(&list, zip.data, zip.size, 8 * n - 1) == STATUS_FORMAT && strstr(status_message(), "int64; the limit leaves"));
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

static void test_lists(void)
{
    struct tensor_list list = {0};
    struct tensor *t = make(UINT8, 0, NULL), *wide = NULL;
    struct buffer b = {0};
    char name[70000];
    for (int i = 0; i < 65535; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % 65537);
        add(&list, name, tensor_retain(t));
    }
    CHECK(NPZ->write(&list, append, &b) == STATUS_UNSUPPORTED && strstr(status_message(), "65534"));
    CHECK(tensor_list_check_unique(&list) == STATUS_OK);
    tensor_list_sort(&list);
    for (int i = 1; i < list.n; i++) CHECK(strcmp(list.names[i - 1], list.names[i]) < 0);
    CHECK(tensor_list_find(&list, "no") == NULL);
    tensor_list_free(&list);
    /* More than 4 GiB, without having them: all elements are one. */
    struct array a = t->array;
    a.rank = 2;
    a.shape[0] = a.shape[1] = 1 << 16;
    a.stride[0] = a.stride[1] = 0;
    CHECK(tensor_view(&wide, t, &a) == STATUS_OK);
    add(&list, "x", wide);
    CHECK(NPZ->write(&list, append, &b) == STATUS_UNSUPPORTED && strstr(status_message(), "4 GiB"));
    tensor_list_free(&list);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    add(&list, name, t);
    CHECK(NPZ->write(&list, append, &b) == STATUS_FORMAT && strstr(status_message(), "69999"));
    tensor_list_free(&list);
    CHECK(b.size == 0);
}

static void check_zip_change(size_t at, unsigned char value, size_t also_at, const char *words)
{
    struct tensor_list list = {0};
    unsigned char bytes[sizeof numpy_deflated - 1];
    memcpy(bytes, numpy_deflated, sizeof bytes);
    bytes[at] = value;
    if (also_at) bytes[also_at] = value;
    CHECK(npz_read(&list, bytes, sizeof bytes, 1 << 20) == STATUS_FORMAT && strstr(status_message(), words));
    if (!strstr(status_message(), words)) printf("%s: %s\n", words, status_message());
    tensor_list_free(&list);
}

static void test_zip_refused(void)
{
    size_t end = sizeof numpy_deflated - 1 - 22, directory = (size_t)raw_little(numpy_deflated + end + 16, 4);
    check_zip_change(8, 12, directory + 10, "entry \"a.npy\": compression method 12");
    check_zip_change(8, 0, directory + 10, "two sizes");
    check_zip_change(6, 1, 0, "encrypted");
    check_zip_change(directory + 16, 1, 14, "checksum");
    check_zip_change(directory + 24 + 2, 9, 0, "cannot unpack");
    check_zip_change(directory + 24, 1, 0, "do not unpack");
    check_zip_change(directory + 42, 1, 0, "start");
    check_zip_change(directory + 46, 'A', 0, "differ in name");
    check_zip_change(directory, 0, 0, "central directory is broken");
    check_zip_change(end, 0, 0, "no end record");
    check_zip_change(end + 4, 1, 0, "one part of several");
    check_zip_change(end + 10, 255, end + 8, "claims 255 entries");
    check_zip_change(end + 12, 1, 0, "central directory");
    check_zip_change(end + 16, 255, 0, "central directory");
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"round trip", test_round_trip},
    {"strides", test_strides},
    {"numpy samples", test_numpy_samples},
    {"npy types", test_npy_types},
    {"npy refused", test_npy_refused},
    {"half precision", test_half_precision},
    {"wanted names", test_wanted_names},
    {"safetensors refused", test_safetensors_refused},
    {"names refused", test_names_refused},
    {"truncated", test_truncated},
    {"corrupted", test_corrupted},
    {"mutations", test_mutations},
    {"png", test_png},
    {"png mutations", test_png_mutations},
    {"png ratio", test_png_ratio},
    {"png memory failures", test_png_memory_failures},
    {"memory failures", test_memory_failures},
    {"unpacking limits", test_unpacking_limits},
    {"high ratio", test_high_ratio},
    {"lying headers", test_lying_headers},
    {"widened limit", test_widened_limit},
    {"lists", test_lists},
    {"zip refused", test_zip_refused},
    {"whole files", test_whole_files},
    {"special files", test_special_files},
    {"failing calls", test_failing_calls},
    {"partial and interrupted", test_partial_and_interrupted},
    {"crashes", test_crashes},
    {"failure is remembered", test_failure_is_remembered},
    {"exit", test_exit},
    {"two writers", test_two_writers},
    {"memory failures of files", test_memory_failures_of_files},
};

int main(void)
{
    int passed = 0, failed = 0;
    snprintf(folder, sizeof folder, "/tmp/tide-test-io-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/x.npz", folder);
    make_samples();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        int64_t blocks = memory_get_stats().live_blocks;
        failed_checks = 0;
        tests[i].run();
        CHECK(memory_get_stats().live_blocks == blocks);
        if (failed_checks) printf("FAIL %s: %d checks\n", tests[i].name, failed_checks);
        *(failed_checks ? &failed : &passed) += 1;
    }
    for (int i = 0; i < 4; i++) free(written[i].data);
    unlink(path);
    rmdir(folder);
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
