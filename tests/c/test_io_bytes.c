/* test_io_bytes.c -- every format: round trips, every truncation, corruptions, mutations, failing memory. */
#include "io_test.h"

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
            /* The checksum of gzip sees every change behind its ten bytes of header, those of PNG every
             * one. */
            if ((s.format == GZIP && at > 9) || s.format == PNG) CHECK(status == STATUS_FORMAT);
            bytes[at] = s.bytes[at];
        }
        free(bytes);
    }
}

static void test_mutations(void)
{
    static const char *const words[] = {
        "\xff\xff\xff\xff", "\0\0\0\0",         "(",         "[", "{", "}", "\"", "\\u",
        "9999999999",       "\x7f\xff\xff\xff", "PK\x05\x06"};
    for (int round = 0, rounds = 24000 * fuzz_factor(); round < rounds; round++) {
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
            case 2:
                memmove(bytes + at, bytes + at + (at + n < size ? n : 0),
                        size - at - (at + n < size ? n : 0));
                break;
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

static const struct check_test tests[] = {
    {"round trip", test_round_trip},
    {"truncated", test_truncated},
    {"corrupted", test_corrupted},
    {"mutations", test_mutations},
    {"memory failures", test_memory_failures},
};

IO_MAIN(tests)
