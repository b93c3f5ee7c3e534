/* test_io_jpeg.c -- photographs that libjpeg itself has packed: values, truncations, mutations, sizes that
 * lie. */
#include "io_test.h"

/* clang-format off */
#define UINT8 jpeg_uint8 /* see io/jpeg.c */
#include <jpeglib.h>
#undef UINT8
/* clang-format on */

#include "io/jpeg.h"

enum { GREY, COLOUR, PROGRESSIVE, CMYK, KINDS };

static struct buffer files[KINDS];

/* A vertical edge of grey, or one colour. */
static struct buffer pack(int kind, unsigned width, unsigned height)
{
    static const unsigned char colour[] = {220, 30, 60, 0};
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    struct buffer b = {0};
    unsigned long size = 0;
    unsigned char row[4 * 100];
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &b.data, &size);
    c.image_width = width;
    c.image_height = height;
    c.input_components = kind == GREY ? 1 : kind == CMYK ? 4 : 3;
    c.in_color_space = kind == GREY ? JCS_GRAYSCALE : kind == CMYK ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    if (kind == PROGRESSIVE) jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (unsigned x = 0; x < width; x++)
        for (int k = 0; k < c.input_components; k++)
            row[x * (unsigned)c.input_components + (unsigned)k] =
                kind == GREY ? (x < width / 2 ? 40 : 200) : colour[k];
    for (unsigned y = 0; y < height; y++) jpeg_write_scanlines(&c, (JSAMPARRAY) & (unsigned char *){row}, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    b.size = size;
    return b;
}

/* Of at most 2^16 bytes of pixels; little memory of ours, nothing left. */
static enum status look(const unsigned char *bytes, size_t size)
{
    struct memory_stats before = memory_get_stats();
    struct tensor *t = NULL;
    unsigned char *copy = malloc(size ? size : 1); /* exact, for the sanitizer */
    memcpy(copy, bytes, size);
    memory_reset_peak();
    enum status status = jpeg_read(&t, copy, size, 1 << 16);
    CHECK(status == STATUS_OK || status == STATUS_FORMAT);
    CHECK((status == STATUS_OK) == (t != NULL));
    CHECK(memory_get_stats().peak_bytes - before.live_bytes < 1 << 18);
    tensor_release(t);
    free(copy);
    CHECK(memory_get_stats().live_blocks == before.live_blocks);
    return status;
}

static int near(const struct tensor *t, int64_t at, double value)
{
    double difference = array_get(&t->array, at) - value;
    return difference < 6 && difference > -6;
}

static void test_values(void)
{
    for (int kind = GREY; kind <= PROGRESSIVE; kind++) {
        struct tensor *t = NULL;
        CHECK_OK(jpeg_read(&t, files[kind].data, files[kind].size, 3 * 20 * 9));
        if (!t) return;
        const int64_t *s = t->array.shape, plane = 20 * 9;
        CHECK(t->array.dtype == UINT8 && t->array.rank == 3 && s[0] == (kind ? 3 : 1) && s[1] == 9 &&
              s[2] == 20);
        if (kind == GREY)
            CHECK(near(t, 0, 40) && near(t, 19, 200) && near(t, plane - 20, 40) && near(t, plane - 1, 200));
        else
            for (int64_t i = 0; i < plane; i += 7)
                CHECK(near(t, i, 220) && near(t, plane + i, 30) && near(t, 2 * plane + i, 60));
        tensor_release(t);
    }
}

static void refused(const struct buffer *b, size_t limit, const char *words)
{
    struct tensor *t = NULL;
    CHECK(jpeg_read(&t, b->data, b->size, limit) == STATUS_FORMAT && !t && strstr(status_message(), words));
}

static void test_refusals(void)
{
    refused(&files[CMYK], SIZE_MAX, "4 colours");
    refused(&files[COLOUR], 3 * 20 * 9 - 1, "20 x 9 pixels need 540 bytes; the limit is 539");
    refused(&(struct buffer){(unsigned char *)"\xff\xd8", 2}, SIZE_MAX, "too short");
    refused(&(struct buffer){(unsigned char *)"\x89PNG\r\n", 6}, SIZE_MAX, "the first bytes differ");
    /* The frame (SOF0 ff c0, length, precision, height, width) says 60000 x 60000. */
    struct buffer lie = pack(GREY, 20, 9);
    for (size_t i = 0; i + 8 < lie.size; i++)
        if (lie.data[i] == 0xff && lie.data[i + 1] == 0xc0) memcpy(lie.data + i + 5, "\xea\x60\xea\x60", 4);
    refused(&lie, SIZE_MAX, "60000 x 60000 pixels cannot come out of");
    free(lie.data);
}

static void test_truncated(void)
{
    for (int kind = GREY; kind <= PROGRESSIVE; kind++)
        for (size_t n = 0; n < files[kind].size; n++) CHECK(look(files[kind].data, n) == STATUS_FORMAT);
}

static void test_stopped(void)
{
    struct tensor *t = NULL;
    interrupt_request();
    CHECK(jpeg_read(&t, files[PROGRESSIVE].data, files[PROGRESSIVE].size, SIZE_MAX) == STATUS_INTERRUPTED &&
          !t);
    CHECK(!interrupt_pending());
}

/* Damage that leaves valid codes is accepted, whatever it shows. */
static void test_mutations(void)
{
    int accepted = 0, given_up = 0;
    for (int round = 0, rounds = 6000 * fuzz_factor(); round < rounds; round++) {
        const struct buffer *b = &files[round % KINDS];
        unsigned char *bytes = malloc(b->size);
        size_t size = b->size;
        memcpy(bytes, b->data, size);
        for (uint32_t edits = 1 + draw(4); edits > 0; edits--) {
            size_t at = 2 + draw((uint32_t)size - 2);
            switch (draw(4)) {
            case 0: bytes[at] ^= (unsigned char)(1U << draw(8)); break;
            case 1: bytes[at] = (unsigned char)draw(256); break;
            case 2: bytes[at] = 0xff; break;
            default: memmove(bytes + at, bytes + at + 1, size - at - 1); size--;
            }
        }
        *(look(bytes, size) == STATUS_OK ? &accepted : &given_up) += 1;
        free(bytes);
    }
    CHECK(accepted > 100 && given_up > 1000, "%d accepted, %d refused", accepted, given_up);
}

/* Our own blocks; libjpeg's are malloc's. */
static void test_memory_failures(void)
{
    struct memory_stats before = memory_get_stats();
    enum status status = STATUS_MEMORY;
    for (int after = 0; status != STATUS_OK; after++) {
        struct tensor *t = NULL;
        memory_fail_after(after, 0);
        status = jpeg_read(&t, files[COLOUR].data, files[COLOUR].size, SIZE_MAX);
        memory_fail_after(-1, 0);
        CHECK((status == STATUS_OK) == (t != NULL) && (status == STATUS_OK || status == STATUS_MEMORY) &&
              after < 10);
        tensor_release(t);
        CHECK(memory_get_stats().live_blocks == before.live_blocks);
    }
}

static const struct check_test tests[] = {
    {"jpeg values", test_values},       {"jpeg refusals", test_refusals},
    {"jpeg truncated", test_truncated}, {"jpeg stopped", test_stopped},
    {"jpeg mutations", test_mutations}, {"jpeg memory failures", test_memory_failures},
};

int main(int argc, char **argv)
{
    for (int kind = 0; kind < KINDS; kind++) files[kind] = pack(kind, 20, 9);
    int result = io_main(tests, sizeof tests / sizeof tests[0], argc, argv);
    for (int kind = 0; kind < KINDS; kind++) free(files[kind].data);
    return result;
}
