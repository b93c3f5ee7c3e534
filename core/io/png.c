#include "io/png.h"

#include <png.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/interrupt.h"
#include "base/memory.h"

#define SIDE_LIMIT 1000000 /* libpng's own */
#define CHUNK_FRAME 12     /* length, type, checksum */
#define CHUNK_LIMIT ((size_t)0x7fffffff)

static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* libpng's own words; it says by them alone that memory ran out. */
static enum status picture_error(const png_image *image, enum status status)
{
    int memory = strcasestr(image->message, "of memory") || strcasestr(image->message, "insufficient memory");
    return status_set(memory ? STATUS_MEMORY : status, "%s", image->message);
}

/* libpng reads and writes whole pictures in one call. Its bytes go through a stream of ours, which looks at
 * Ctrl-C and keeps why it failed. */
struct stream {
    const unsigned char *from;
    size_t left;
    raw_sink *sink;
    void *context;
    enum status status;
};

static ssize_t stream_read(void *cookie, char *to, size_t n)
{
    struct stream *s = cookie;
    s->status = interrupt_poll();
    if (s->status != STATUS_OK) return -1;
    if (n > s->left) n = s->left;
    memcpy(to, s->from, n);
    s->from += n;
    s->left -= n;
    return (ssize_t)n;
}

/* As POSIX wants it for streams that are written: 0 is failure. */
static ssize_t stream_write(void *cookie, const char *from, size_t n)
{
    struct stream *s = cookie;
    if (s->status == STATUS_OK) s->status = interrupt_poll();
    if (s->status == STATUS_OK) s->status = s->sink(s->context, from, n);
    return s->status == STATUS_OK ? (ssize_t)n : 0;
}

static FILE *stream_open(struct stream *s, const char *mode)
{
    FILE *file = fopencookie(s, mode, (cookie_io_functions_t){.read = stream_read, .write = stream_write});
    if (!file) status_set(STATUS_MEMORY, "out of memory: a stream could not be opened");
    return file;
}

/* ---- reading ---- */

/* Chunks with right checksums fill the file up to the end of IEND: libpng would stop at the last pixel.
 * *packed: bytes of pixel data. */
static enum status check_chunks(const unsigned char *bytes, size_t size, size_t *packed)
{
    if (size < sizeof signature || memcmp(bytes, signature, sizeof signature) != 0)
        return status_set(STATUS_FORMAT, "it is no PNG file (%s)",
                          size < sizeof signature ? "too short" : "the first bytes differ");
    *packed = 0;
    for (size_t at = sizeof signature;;) {
        if (size - at < CHUNK_FRAME)
            return status_set(STATUS_FORMAT, "the file ends in the chunk at byte %zu", at);
        size_t n = (size_t)raw_big(bytes + at, 4);
        if (n > CHUNK_LIMIT || n > size - at - CHUNK_FRAME)
            return status_set(STATUS_FORMAT, "the chunk at byte %zu says %zu bytes, the file holds %zu", at,
                              n, size - at - CHUNK_FRAME);
        const unsigned char *type = bytes + at + 4;
        if (crc32(0, type, (uInt)n + 4) != raw_big(type + 4 + n, 4))
            return status_set(STATUS_FORMAT, "the checksum of the chunk at byte %zu is wrong", at);
        at += CHUNK_FRAME + n;
        if (memcmp(type, "IDAT", 4) == 0) *packed += n;
        if (memcmp(type, "IEND", 4) != 0) continue;
        return at == size ? STATUS_OK
                          : status_set(STATUS_FORMAT, "%zu bytes follow the end of the picture", size - at);
    }
}

/* Can the picture be read, and can its pixels be in so few bytes? libpng has found the header (IHDR, at byte
 * 16) valid. */
static enum status check_picture(const png_image *image, const unsigned char *bytes, size_t packed,
                                 size_t limit)
{
    static const int samples[] = {1, 0, 3, 1, 2, 0, 4}; /* of a pixel in the file, by colour type */
    if (image->format & PNG_FORMAT_FLAG_LINEAR)
        return status_set(STATUS_FORMAT, "it has 16 bits per sample; only 8 can be read");
    uint64_t needed = (uint64_t)image->width * image->height * PNG_IMAGE_SAMPLE_CHANNELS(image->format);
    if (needed > limit)
        return status_set(STATUS_FORMAT, "%u x %u pixels need %llu bytes; the limit is %zu", image->width,
                          image->height, (unsigned long long)needed, limit);
    uint64_t row = ((uint64_t)image->width * bytes[24] * (uint64_t)samples[bytes[25]] + 7) / 8;
    if (row * image->height / FILE_RATIO_LIMIT > packed)
        return status_set(STATUS_FORMAT, "%u x %u pixels cannot come out of %zu bytes", image->width,
                          image->height, packed);
    return STATUS_OK;
}

/* H,W,C of the file to C,H,W. */
static enum status separate(unsigned char *to, const unsigned char *from, size_t width, size_t height,
                            size_t channels)
{
    for (size_t row = 0; row < channels * height; row++) {
        if (row % 64 == 0) TRY(interrupt_poll());
        const unsigned char *p = from + row % height * width * channels + row / height;
        for (size_t x = 0; x < width; x++) *to++ = p[x * channels];
    }
    return STATUS_OK;
}

static enum status read_pixels(struct tensor **out, png_image *image)
{
    size_t channels = PNG_IMAGE_SAMPLE_CHANNELS(image->format);
    unsigned char *pixels = NULL;
    struct tensor *t = NULL;
    enum status status;
    TRY_GOTO_DONE(tensor_new(&t, UINT8, 3, (int64_t[]){(int64_t)channels, image->height, image->width}));
    unsigned char *target = t->array.data;
    if (channels > 1 && !(target = pixels = memory_alloc(array_bytes(&t->array))))
        TRY_GOTO_DONE(memory_status());
    if (!png_image_finish_read(image, NULL, target, 0, NULL))
        TRY_GOTO_DONE(picture_error(image, STATUS_FORMAT));
    if (pixels) TRY_GOTO_DONE(separate(t->array.data, pixels, image->width, image->height, channels));
    *out = t;
done:
    if (status != STATUS_OK) tensor_release(t);
    memory_free(pixels);
    return status;
}

enum status png_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    size_t packed = 0;
    enum status status;
    TRY(check_chunks(bytes, size, &packed));
    struct stream stream = {.from = bytes, .left = size};
    FILE *file = stream_open(&stream, "rb");
    if (!file) return STATUS_MEMORY;
    if (!png_image_begin_read_from_stdio(&image, file)) TRY_GOTO_DONE(picture_error(&image, STATUS_FORMAT));
    TRY_GOTO_DONE(check_picture(&image, bytes, packed, limit));
    image.format &= PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA;
    TRY_GOTO_DONE(read_pixels(out, &image));
done:
    png_image_free(&image);
    fclose(file);
    return stream.status == STATUS_OK ? status : status_set(stream.status, "interrupted");
}

/* ---- writing ---- */

/* The element at the given offset as a byte, -1 for NaN. */
static int sample(const struct array *a, int64_t at)
{
    if (a->dtype == UINT8) return ((const unsigned char *)a->data)[at];
    double v = a->dtype == FLOAT32 ? (double)((const float *)a->data)[at] : ((const double *)a->data)[at];
    return v != v ? -1 : v <= 0 ? 0 : v >= 1 ? 255 : (int)(v * 255 + 0.5);
}

/* C,H,W of any strides to H,W,C. */
static enum status join(unsigned char *to, const struct array *a, int64_t channels, int64_t height,
                        int64_t width)
{
    const int64_t *s = a->stride + a->rank - 2;
    int64_t step = a->rank == 3 ? a->stride[0] : 0;
    for (int64_t y = 0; y < height; y++) {
        if (y % 64 == 0) TRY(interrupt_poll());
        for (int64_t x = 0; x < width; x++)
            for (int64_t c = 0; c < channels; c++) {
                int v = sample(a, y * s[0] + x * s[1] + c * step);
                if (v < 0)
                    return status_set(STATUS_ARGUMENT,
                                      "the value in channel %lld, row %lld, column %lld is NaN",
                                      (long long)c + 1, (long long)y + 1, (long long)x + 1);
                *to++ = (unsigned char)v;
            }
    }
    return STATUS_OK;
}

static enum status check_array(const struct array *a)
{
    char text[SHAPE_TEXT];
    if (a->dtype != UINT8 && !dtype_is_float(a->dtype))
        return status_set(STATUS_DTYPE, "a PNG is made of uint8, or of floats in [0, 1], not of %s",
                          dtype_name(a->dtype));
    if ((a->rank != 2 && a->rank != 3) || (a->rank == 3 && (a->shape[0] < 1 || a->shape[0] > 4)))
        return status_set(STATUS_SHAPE, "a PNG has shape H,W or C,H,W with 1 to 4 channels C, got %s",
                          array_shape_text(a, text));
    for (int i = a->rank - 2; i < a->rank; i++)
        if (a->shape[i] < 1 || a->shape[i] > SIDE_LIMIT)
            return status_set(STATUS_UNSUPPORTED, "a PNG has 1 to %d pixels on each side, got %s", SIDE_LIMIT,
                              array_shape_text(a, text));
    if (array_numel(a) > (int64_t)FILE_UNPACK_LIMIT)
        return status_set(STATUS_UNSUPPORTED, "a PNG has at most %zu bytes of pixels, got %s",
                          FILE_UNPACK_LIMIT, array_shape_text(a, text));
    return STATUS_OK;
}

enum status png_write(const struct array *a, raw_sink *sink, void *context)
{
    static const png_uint_32 formats[] = {PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    TRY(check_array(a));
    int64_t channels = a->rank == 3 ? a->shape[0] : 1;
    png_image image = {.version = PNG_IMAGE_VERSION, .format = formats[channels - 1]};
    image.height = (png_uint_32)a->shape[a->rank - 2];
    image.width = (png_uint_32)a->shape[a->rank - 1];
    unsigned char *pixels = memory_alloc((size_t)array_numel(a));
    if (!pixels) return memory_status();
    struct stream stream = {.sink = sink, .context = context};
    FILE *file = NULL;
    enum status status;
    TRY_GOTO_DONE(join(pixels, a, channels, image.height, image.width));
    file = stream_open(&stream, "wb");
    if (!file) TRY_GOTO_DONE(STATUS_MEMORY);
    if (!png_image_write_to_stdio(&image, file, 0, pixels, 0, NULL) && stream.status == STATUS_OK)
        status = picture_error(&image, STATUS_UNSUPPORTED);
done:
    png_image_free(&image);
    if (file && fclose(file) != 0 && status == STATUS_OK) status = stream.status;
    memory_free(pixels);
    return status == STATUS_OK ? stream.status : status;
}

enum status png_save(const char *path, const struct array *a)
{
    struct file_writer *w;
    TRY(file_writer_open(&w, path));
    return file_writer_close(w, png_write(a, file_writer_write, w));
}
