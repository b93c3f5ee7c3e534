/* test_io_safetensors.c -- .safetensors: headers that are refused, names,
 * tensors that cannot be read beside others that can. */
#include "io_test.h"

/* What cannot be read harms the others only when it is asked for. */
static void test_wanted_names(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},\"ab\":{"
                                 "\"dtype\":\"U8\",\"shape\":"
                                 "[],\"data_offsets\":[3,4]}}";
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
    CHECK(safetensors_read(&list, b.data, b.size) == STATUS_OK && list.n == 1 &&
          array_get(&list.tensors[0]->array, 0) == 3);
    tensor_list_free(&list);
    CHECK(tensor_list_add(&wanted, "abc", 3, NULL) == STATUS_OK);
    tensor_list_sort(&wanted);
    CHECK(tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, "abcd", 3) &&
          !tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, "abcd", 4));
    list.wanted = &wanted;
    CHECK(safetensors_read(&list, b.data, b.size) == STATUS_ARGUMENT &&
          strstr(status_message(), "no tensor \"abc\" in it; it holds \"b\", \"ab\""));
    tensor_list_free(&list);
    list.wanted = &wanted;
    CHECK(npz_read(&list, numpy_deflated, sizeof numpy_deflated - 1, 1 << 20) == STATUS_ARGUMENT);
    CHECK(strstr(status_message(), "no tensor \"abc\" in it; it holds \"a\", \"b\""));
    tensor_list_free(&list);
    tensor_list_free(&wanted);
    free(b.data);
}

static void test_many_wanted_names(void)
{
    struct tensor_list wanted = {0};
    for (int i = 0; i < 2000; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", 2 * i);
        CHECK(tensor_list_add(&wanted, name, strlen(name), NULL) == STATUS_OK);
    }
    tensor_list_sort(&wanted);
    for (int i = 0; i < 4000; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        CHECK(tensor_list_wants(&(struct tensor_list){.wanted = &wanted}, name, strlen(name)) ==
              (i % 2 == 0));
    }
    tensor_list_free(&wanted);
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
#define T(name, shape, begin, end)                                                                           \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
    check_json("{}", 0, NULL);
    check_json("{\"__metadata__\":{\"a\":\"b\\u00e9\\ud83d\\ude00\",\"c\":\"\"}, " T("x", "[2]", 0, 8) " }  ",
               8, NULL);
    check_json(
        "{\"__metadata__\":{}," T("\\ud83d\\ude00\\n", "[]", 0, 4) "," T("\xc3\xa9", "[0,3]", 4, 4) "}", 4,
        NULL);
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
    CHECK(safetensors_read(&list, (const unsigned char *)"\xff\xff\xff\xff\xff\xff\xff\xff{}", 10) ==
          STATUS_FORMAT);
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

static const struct check_test tests[] = {
    {"wanted names", test_wanted_names},
    {"many wanted names", test_many_wanted_names},
    {"safetensors refused", test_safetensors_refused},
    {"names refused", test_names_refused},
};

IO_MAIN(tests)
