/* io_test.h -- what the tests of core/io share: formats under one interface, a sample of each, a folder for
 * files.
 *
 * Samples that NumPy made stand as bytes; their contents are known. A test program ends by io_main. */
#ifndef TESTS_IO_TEST_H
#define TESTS_IO_TEST_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "check.h"
#include "io/calls.h"
#include "io/idx.h"
#include "io/mat.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/png.h"
#include "io/safetensors.h"

struct buffer {
    unsigned char *data; /* from malloc, so that memory_stats counts the engine's blocks only */
    size_t size;
};

static inline enum status append(void *context, const void *bytes, size_t n)
{
    struct buffer *b = context;
    b->data = realloc(b->data, b->size + n + 1);
    memcpy(b->data + b->size, bytes, n);
    b->size += n;
    return STATUS_OK;
}

static inline struct tensor *make(enum dtype dtype, int rank, const int64_t *shape)
{
    struct tensor *t = NULL;
    CHECK(tensor_new(&t, dtype, rank, shape) == STATUS_OK);
    for (int64_t i = 0; i < array_numel(&t->array); i++) array_set(&t->array, i, (double)(i * 7 % 251));
    return t;
}

static inline int equal(const struct array *a, const struct array *b)
{
    if (a->dtype != b->dtype || !array_same_shape(a, b)) return 0;
    for (int64_t i = 0; i < array_numel(a); i++)
        if (memcmp(array_at(a, i), array_at(b, i), dtype_size(a->dtype)) != 0) return 0;
    return 1;
}

static inline enum status one(struct tensor_list *list,
                              enum status (*read_one)(struct tensor **, const unsigned char *, size_t),
                              const unsigned char *bytes, size_t size)
{
    struct tensor *t = NULL;
    TRY(read_one(&t, bytes, size));
    enum status status = tensor_list_add(list, "x", 1, t);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

static inline enum status read_npy_whole(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return npy_read(out, bytes, size, SIZE_MAX);
}
static inline enum status read_idx_whole(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return idx_read(out, bytes, size, SIZE_MAX);
}
static inline enum status read_npy(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_npy_whole, bytes, size);
}
static inline enum status read_idx(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_idx_whole, bytes, size);
}
static inline enum status read_npz(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return npz_read(list, bytes, size, 1 << 20);
}

static inline enum status read_gzip(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    struct file_bytes packed = {(unsigned char *)(uintptr_t)bytes, size}, unpacked = {0};
    TRY(file_gunzip(&unpacked, &packed, 1 << 20));
    enum status status = read_idx(list, unpacked.data, unpacked.size);
    file_bytes_free(&unpacked);
    return status;
}

static inline enum status read_png_limited(struct tensor **out, const unsigned char *bytes, size_t size)
{
    return png_read(out, bytes, size, 1 << 18);
}
static inline enum status read_png(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return one(list, read_png_limited, bytes, size);
}

static inline enum status read_mat(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    return mat_read(list, bytes, size, 1 << 17);
}

static inline enum status write_png(const struct tensor_list *list, raw_sink *sink, void *context)
{
    return png_write(&list->tensors[0]->array, sink, context);
}

static inline enum status write_npy(const struct tensor_list *list, raw_sink *sink, void *context)
{
    return npy_write(&list->tensors[0]->array, sink, context);
}

static const struct format {
    const char *name;
    enum status (*read)(struct tensor_list *, const unsigned char *, size_t);
    enum status (*write)(const struct tensor_list *, raw_sink *, void *); /* NULL: no writer */
} formats[] = {
    {"npy", read_npy, write_npy},
    {"npz", read_npz, npz_write},
    {"safetensors", safetensors_read, safetensors_write},
    {"idx", read_idx, NULL},
    {"gzip", read_gzip, NULL},
    {"png", read_png, write_png},
    {"mat", read_mat, NULL},
};

#define NPY (&formats[0])
#define NPZ (&formats[1])
#define SAFETENSORS (&formats[2])
#define IDX (&formats[3])
#define GZIP (&formats[4])
#define PNG (&formats[5])
#define MAT (&formats[6])

static inline void add(struct tensor_list *list, const char *name, struct tensor *owned)
{
    CHECK(tensor_list_add(list, name, strlen(name), owned) == STATUS_OK);
}

static inline void fill_list(struct tensor_list *list)
{
    add(list, "w", make(FLOAT32, 2, (int64_t[]){2, 3}));
    add(list, "layers.1.b\"\xc3\xa9", make(FLOAT64, 1, (int64_t[]){4}));
    add(list, "n", make(INT64, 0, NULL));
    add(list, "mask", make(UINT8, 3, (int64_t[]){1, 0, 2}));
    add(list, "bytes", make(UINT8, 1, (int64_t[]){5}));
}

#define MAT_HEADER                                                                                           \
    "MATLAB 5.0 MAT-file                                                             "                       \
    "                                            \x00\x01IM"
/* double weights(2, 3), kept in bytes */
static const unsigned char mat_plain[] = MAT_HEADER
    "\x0e\x00\x00\x00\x40\x00\x00\x00\x06\x00\x00\x00\x08\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x05"
    "\x00\x00\x00\x08\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\x77\x65"
    "\x69\x67\x68\x74\x73\x00\x02\x00\x00\x00\x06\x00\x00\x00\x01\x02\x03\x04\x05\x06\x00\x00";
/* uint8 X(2, 3), packed */
static const unsigned char mat_packed[] = MAT_HEADER
    "\x0f\x00\x00\x00\x2c\x00\x00\x00\x78\xda\xe3\x63\x60\x60\xb0\x00\x62\x36\x20\xe6\x00\x62\x4e\x06\x08"
    "\x60\x85\xf2\x99\x80\x98\x19\x88\x19\x81\x30\x02\xca\x07\xa9\x65\x64\x62\x66\x61\x05\x32\x00\x1f\xd4"
    "\x00\xe7";

static const unsigned char numpy_deflated[] = "\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\x4f"
                                              "\xe9\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
                                              "\x14\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00"
                                              "\x00\x00\x00\x00\x55\x00\x00\x00\x00\x00\x00\x00\x9b"
                                              "\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c"
                                              "\x5c\xa4\x6e\xa5\xa0\x6e\x93\x66\xa2\xae\xa3\xa0\x9e"
                                              "\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b"
                                              "\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a"
                                              "\x46\x3a\x0a\xc6\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x30\x68"
                                              "\xb0\x07\x12\x0e\x40\x04\xc4\x0d\x40\xbc\xc0\x01\x00"
                                              "\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\x9a"
                                              "\xfb\xf5\x23\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
                                              "\x14\x00\x62\x2e\x6e\x70\x79\x01\x00\x10\x00\x90\x00\x00\x00"
                                              "\x00\x00\x00\x00\x4b\x00\x00\x00\x00\x00\x00\x00\x9b"
                                              "\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c"
                                              "\x5c\xa4\x6e\xa5\xa0\x6e\x93\x69\xa1\xae\xa3\xa0\x9e"
                                              "\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b"
                                              "\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a"
                                              "\x46\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\x2e\x46\x06\x08\xf8\xf7"
                                              "\x1f\x02\x00\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00"
                                              "\x08\x00\x00\x00\x21\x00\x4f\xe9\x00\x2a\x55\x00\x00\x00\x98"
                                              "\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                              "\x00\x00\x80\x01\x00\x00\x00\x00\x61\x2e\x6e\x70\x79\x50\x4b"
                                              "\x01\x02\x2d\x03\x2d\x00\x00\x00\x08\x00\x00\x00\x21"
                                              "\x00\x9a\xfb\xf5\x23\x4b\x00\x00\x00\x90\x00\x00\x00\x05\x00"
                                              "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x8c"
                                              "\x00\x00\x00\x62\x2e\x6e\x70\x79\x50\x4b\x05\x06\x00\x00\x00"
                                              "\x00\x02\x00\x02\x00\x66\x00\x00\x00\x0e\x01\x00\x00"
                                              "\x00\x00";
static const unsigned char numpy_stream[] =
    "\x50\x4b\x03\x04\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x05\x00"
    "\x00\x00\x61\x2e\x6e\x70\x79\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e"
    "\xa5\xa0"
    "\x6e\x93\x66\xa2\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e"
    "\x05\x8a"
    "\x17\x67\x24\x16\xa4\x02\xf9\x1a\x46\x3a\x0a\xc6\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x30\x68\xb0\x07\x12"
    "\x0e\x40"
    "\x04\xc4\x0d\x40\xbc\xc0\x01\x00\x50\x4b\x07\x08\x4f\xe9\x00\x2a\x55\x00\x00\x00\x98\x00\x00\x00\x50\x4b"
    "\x03\x04"
    "\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00"
    "\x62\x2e"
    "\x6e\x70\x79\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93"
    "\x69\xa1"
    "\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67"
    "\x24\x16"
    "\xa4\x02\xf9\x1a\x46\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\x2e\x46\x06\x08\xf8\xf7\x1f\x02\x00\x50\x4b\x07\x08"
    "\x9a\xfb"
    "\xf5\x23\x4b\x00\x00\x00\x90\x00\x00\x00\x50\x4b\x01\x02\x14\x03\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00"
    "\x4f\xe9"
    "\x00\x2a\x55\x00\x00\x00\x98\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00"
    "\x00\x00"
    "\x61\x2e\x6e\x70\x79\x50\x4b\x01\x02\x14\x03\x14\x00\x08\x00\x08\x00\x00\x00\x21\x00\x9a\xfb\xf5\x23\x4b"
    "\x00\x00"
    "\x00\x90\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x88\x00\x00\x00\x62\x2e\x6e"
    "\x70\x79"
    "\x50\x4b\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00\x66\x00\x00\x00\x06\x01\x00\x00\x00\x00";
static const unsigned char numpy_zip64[] = "\x50\x4b\x03\x04\x2d\x00\x00\x00\x00\x00\x0a\xbb\x74\x5d\x4f\xe9"
                                           "\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
                                           "\x14\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00"
                                           "\x00\x00\x00\x98\x00\x00\x00\x00\x00\x00\x00\x93"
                                           "\x4e\x55\x4d\x50\x59\x01\x00\x76\x00\x7b\x27\x64\x65\x73\x63\x72"
                                           "\x27\x3a\x20\x27\x3c\x66\x34\x27\x2c\x20\x27\x66"
                                           "\x6f\x72\x74\x72\x61\x6e\x5f\x6f\x72\x64\x65\x72\x27\x3a\x20\x46"
                                           "\x61\x6c\x73\x65\x2c\x20\x27\x73\x68\x61\x70\x65"
                                           "\x27\x3a\x20\x28\x32\x2c\x20\x33\x29\x2c\x20\x7d\x20\x20\x20\x20"
                                           "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20"
                                           "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20"
                                           "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20"
                                           "\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x20\x0a\x00"
                                           "\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40\x00"
                                           "\x00\x40\x40\x00\x00\x80\x40\x00\x00\xa0\x40\x50\x4b\x01\x02\x2d"
                                           "\x03\x2d\x00\x00\x00\x00\x00\x0a\xbb\x74\x5d\x4f"
                                           "\xe9\x00\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00\x14\x00\x00"
                                           "\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00"
                                           "\x00\x61\x2e\x6e\x70\x79\x01\x00\x10\x00\x98\x00\x00\x00\x00\x00"
                                           "\x00\x00\x98\x00\x00\x00\x00\x00\x00\x00\x50\x4b"
                                           "\x06\x06\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x2d\x00\x00\x00"
                                           "\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"
                                           "\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x47\x00\x00\x00\x00\x00"
                                           "\x00\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x50\x4b"
                                           "\x06\x07\x00\x00\x00\x00\x16\x01\x00\x00\x00\x00\x00\x00\x01\x00"
                                           "\x00\x00\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00"
                                           "\x01\x00\x47\x00\x00\x00\xcf\x00\x00\x00\x00\x00";
static const unsigned char gzip_idx[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x63\x60\xe0\x60\x62\x60\x60"
                                        "\x00\x61\x66\x46\x26\x66\x16\x56\x36\x00\x48"
                                        "\x94\x3e\xe5\x12\x00\x00\x00";

/* 3 x 2 pixels of a palette with transparency, 2 bits each; the same size interlaced, 8 bits of grey: 10, 20,
 * ..., 60. */
static const unsigned char png_palette[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x02\x03"
    "\x00\x00"
    "\x00\xe0\x1a\x8e\x89\x00\x00\x00\x09\x50\x4c\x54\x45\xff\x00\x00\x00\xff\x00\x00\x00\xff\x2d\x4a\xcd\x8a"
    "\x00\x00"
    "\x00\x02\x74\x52\x4e\x53\xff\x80\x08\x0f\xb3\x6a\x00\x00\x00\x0c\x49\x44\x41\x54\x78\xda\x63\x90\x60\x98"
    "\x00\x00"
    "\x00\xdc\x00\xa9\x52\x1a\x13\x8f\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";
static const unsigned char png_interlaced[] =
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x03\x00\x00\x00\x02\x08\x00"
    "\x00\x00"
    "\x01\xcf\x18\x09\x50\x00\x00\x00\x12\x49\x44\x41\x54\x78\xda\x63\xe0\x62\x90\x63\x10\x61\xd0\x30\xb2\x01"
    "\x00\x02"
    "\xb2\x00\xd3\xe5\xa3\xa5\xab\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82";

#define IDX_BYTES "\0\0\x08\x02\0\0\0\x02\0\0\0\x03\1\2\3\4\5\6"
#define NPY_HEADER(text) "\x93NUMPY\1\0" text

struct sample {
    const struct format *format;
    const unsigned char *bytes;
    size_t size;
};

static struct sample samples[14];
static int sample_count;

static inline void add_sample(const struct format *format, const void *bytes, size_t size)
{
    samples[sample_count++] = (struct sample){format, bytes, size};
}

/* One valid file of every kind; those of our own writers leak into `samples` until exit frees them. */
static struct buffer written[4];

static inline void make_samples(void)
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
    add_sample(MAT, mat_plain, sizeof mat_plain - 1);
    add_sample(MAT, mat_packed, sizeof mat_packed - 1);
    struct tensor *picture = make(UINT8, 3, (int64_t[]){3, 5, 4});
    CHECK(png_write(&picture->array, append, &written[3]) == STATUS_OK);
    tensor_release(picture);
    add_sample(PNG, written[3].data, written[3].size);
    add_sample(PNG, png_palette, sizeof png_palette - 1);
    add_sample(PNG, png_interlaced, sizeof png_interlaced - 1);
}

/* Read, and if it is accepted write and read again: the same bits. Never much memory, nothing left. */
static inline enum status probe(const struct format *format, const unsigned char *bytes, size_t size)
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

/* How many times the usual number of mutations: `make fuzz-readers` asks for more. */
static inline int fuzz_factor(void)
{
    const char *text = getenv("TIDE_FUZZ");
    int factor = text ? atoi(text) : 0;
    return factor > 1 ? factor : 1;
}

static uint32_t random_state = 12345;

static inline uint32_t draw(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n;
}

/* gzip of n zero bytes */
static inline struct buffer gzip_zeros(size_t n)
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

/* ---- files ---- */

static char folder[200], path[260];

static inline int entries_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

static inline void put_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(name, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

static int io_main(const struct check_test *tests, size_t n, int argc, char **argv)
{
    snprintf(folder, sizeof folder, "/tmp/tide-test-io-XXXXXX");
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/x.npz", folder);
    make_samples();
    int64_t blocks = memory_get_stats().live_blocks;
    int result = check_main(tests, n, argc, argv);
    if (memory_get_stats().live_blocks != blocks) {
        printf("%lld blocks were not freed\n", (long long)(memory_get_stats().live_blocks - blocks));
        result = 1;
    }
    for (int i = 0; i < 4; i++) free(written[i].data);
    unlink(path);
    rmdir(folder);
    return result;
}

#define IO_MAIN(tests)                                                                                       \
    int main(int argc, char **argv) { return io_main(tests, sizeof tests / sizeof tests[0], argc, argv); }

#endif
