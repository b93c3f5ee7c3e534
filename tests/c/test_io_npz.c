/* test_io_npz.c -- NumPy's archives: zip files as others write them, broken ones, many and long names. */
#include "io_test.h"

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
    check_zip_change(directory + 20, 255, 0, "its data overlap what follows");
    check_zip_change(directory, 0, 0, "central directory is broken");
    /* Two entries of one name; two at one place. */
    unsigned char twice[sizeof numpy_deflated - 1];
    size_t second = directory + 46 + 5;
    struct tensor_list list = {0};
    memcpy(twice, numpy_deflated, sizeof twice);
    twice[second + 46] = twice[raw_little(twice + second + 42, 4) + 30] = 'a';
    CHECK(npz_read(&list, twice, sizeof twice, 1 << 20) == STATUS_FORMAT &&
          strstr(status_message(), "the name \"a\" occurs twice"));
    tensor_list_free(&list);
    memcpy(twice, numpy_deflated, sizeof twice);
    raw_put_little(twice + second + 42, 4, 0);
    CHECK(npz_read(&list, twice, sizeof twice, 1 << 20) == STATUS_FORMAT);
    tensor_list_free(&list);
    check_zip_change(end, 0, 0, "no end record");
    check_zip_change(end + 4, 1, 0, "one part of several");
    check_zip_change(end + 10, 255, end + 8, "claims 255 entries");
    check_zip_change(end + 12, 1, 0, "central directory");
    check_zip_change(end + 16, 255, 0, "central directory");
}

static const struct check_test tests[] = {
    {"numpy samples", test_numpy_samples},
    {"lists", test_lists},
    {"zip refused", test_zip_refused},
};

IO_MAIN(tests)
