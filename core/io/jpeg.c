#include "io/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define UINT8 jpeg_uint8 /* libjpeg has a type of this name, the engine a constant */
#include <jpeglib.h>
#include <jerror.h>
#undef UINT8
/* clang-format on */

#include "base/interrupt.h"
#include "base/memory.h"

/* A block of 64 samples takes a bit at least, and one sample may stand for 16 of the picture's (4 x 4). */
#define BYTES_PER_BYTE (8 * 64 * 3)
#define SCAN_LIMIT 500 /* a small file may ask for a pass over all pixels in each of its scans */

/* What libjpeg calls with an error, a warning or its progress; it all ends in `back`. */
struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    enum status status;
    struct tensor *picture;
    unsigned char *row;
};

static void give_up(struct jpeg_reader *r, enum status status)
{
    r->status = status;
    longjmp(r->back, 1);
}

static void on_error(j_common_ptr info)
{
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    give_up(
        info->client_data,
        status_set(info->err->msg_code == JERR_OUT_OF_MEMORY ? STATUS_MEMORY : STATUS_FORMAT, "%s", text));
}

static void on_message(j_common_ptr info, int level)
{
    if (level < 0) on_error(info);
}

static void on_progress(j_common_ptr info)
{
    struct jpeg_reader *r = info->client_data;
    if (r->info.input_scan_number > SCAN_LIMIT)
        give_up(r, status_set(STATUS_FORMAT, "it has more than %d scans", SCAN_LIMIT));
    enum status status = interrupt_poll();
    if (status != STATUS_OK) give_up(r, status);
}

/* Can the picture be read, and can its pixels be in so few bytes? */
static enum status check_picture(const struct jpeg_decompress_struct *info, size_t size, size_t limit)
{
    uint64_t channels = info->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    uint64_t needed = channels * info->image_width * info->image_height;
    if (info->jpeg_color_space != JCS_GRAYSCALE && info->jpeg_color_space != JCS_YCbCr &&
        info->jpeg_color_space != JCS_RGB)
        return status_set(STATUS_FORMAT, "it has %d colours (CMYK?); only grey and RGB can be read",
                          info->num_components);
    if (info->arith_code) return status_set(STATUS_FORMAT, "its arithmetic coding cannot be read");
    if (needed > limit)
        return status_set(STATUS_FORMAT, "%u x %u pixels need %llu bytes; the limit is %zu",
                          info->image_width, info->image_height, (unsigned long long)needed, limit);
    if (needed / BYTES_PER_BYTE > size)
        return status_set(STATUS_FORMAT, "%u x %u pixels cannot come out of %zu bytes", info->image_width,
                          info->image_height, size);
    return STATUS_OK;
}

/* H,W,C row by row to C,H,W. */
static void read_rows(struct jpeg_reader *r)
{
    size_t channels = (size_t)r->info.output_components, width = r->info.output_width;
    size_t plane = width * r->info.output_height;
    unsigned char *pixels = r->picture->array.data;
    while (r->info.output_scanline < r->info.output_height) {
        unsigned char *to = pixels + r->info.output_scanline * width;
        jpeg_read_scanlines(&r->info, &r->row, 1);
        for (size_t c = 0; c < channels; c++)
            for (size_t x = 0; x < width; x++) to[c * plane + x] = r->row[x * channels + c];
    }
}

static enum status decode(struct jpeg_reader *r, const unsigned char *bytes, size_t size, size_t limit)
{
    jpeg_create_decompress(&r->info);
    r->info.client_data = r;
    r->info.progress = &r->progress;
    jpeg_mem_src(&r->info, bytes, size);
    jpeg_read_header(&r->info, TRUE);
    TRY(check_picture(&r->info, size, limit));
    r->info.out_color_space = r->info.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    r->info.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&r->info);
    int64_t channels = r->info.output_components, height = r->info.output_height,
            width = r->info.output_width;
    TRY(tensor_new(&r->picture, UINT8, 3, (int64_t[]){channels, height, width}));
    r->row = memory_alloc((size_t)(width * channels));
    if (!r->row) return memory_status();
    read_rows(r);
    jpeg_finish_decompress(&r->info);
    return STATUS_OK;
}

/* In a function of its own, so that a jump finds *r as it was left. */
static enum status run(struct jpeg_reader *r, const unsigned char *bytes, size_t size, size_t limit)
{
    if (setjmp(r->back) == 0) r->status = decode(r, bytes, size, limit);
    return r->status;
}

enum status jpeg_read(struct tensor **out, const unsigned char *bytes, size_t size, size_t limit)
{
    struct jpeg_reader r = {.status = STATUS_OK};
    if (size < 3 || memcmp(bytes, "\xff\xd8\xff", 3) != 0)
        return status_set(STATUS_FORMAT, "it is no JPEG file (%s)",
                          size < 3 ? "too short" : "the first bytes differ");
    r.info.err = jpeg_std_error(&r.errors);
    r.info.client_data = &r; /* for errors before the first call is done */
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.progress.progress_monitor = on_progress;
    enum status status = run(&r, bytes, size, limit);
    jpeg_destroy_decompress(&r.info);
    memory_free(r.row);
    if (status == STATUS_OK)
        *out = r.picture;
    else
        tensor_release(r.picture);
    return status;
}
