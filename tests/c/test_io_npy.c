/* test_io_npy.c -- the arrays of NumPy: types, layouts, headers that are
 * refused. */
#include <math.h>

#include "io_test.h"

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
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }",
         "\x3f\x80\0\0\xc0\0\0\0",
         8,
         2,
         {1, -2}},
        {"{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }\n", "\xff\xfe\1\0", 4, 2, {-2, 256}},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}",
         "\xfe\xff\xff\xff\1\0\0\0",
         8,
         2,
         {-2, 1}},
        {"{'descr': '|i1', 'fortran_order': False, 'shape': (2L,)}", "\xfe\1", 2, 2, {-2, 1}},
        {"{\"shape\": (2 ,), \"descr\":'<u4', \"fortran_order\" :True}",
         "\xfe\xff\xff\xff\1\0\0\0",
         8,
         2,
         {4294967294, 1}},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\2\0", 2, 2, {1, 0}},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}", "\1\2\3\4", 4, 4, {1, 3, 2, 4}},
        {"{'descr': '>u2', 'fortran_order': True, 'shape': (2, 1, 2)}",
         "\0\1\0\2\0\3\0\4",
         8,
         4,
         {1, 3, 2, 4}},
        {"{'descr': '<u2', 'fortran_order': False, 'shape': ()}", "\1\2", 2, 1, {513}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double got[4] = {0};
        CHECK(npy_values(rows[i].header, rows[i].data, rows[i].n, rows[i].count, got) == STATUS_OK);
        CHECK(memcmp(got, rows[i].values, sizeof got) == 0);
    }
}

/* Every half and every bfloat16 has its value and its bits as float32, NaN
 * payloads too. */
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
                CHECK(((float *)t->array.data)[i] == (float)(i >> 15 ? -value : value) &&
                      bits >> 31 == (uint32_t)i >> 15);
        }
        tensor_release(t);
        t = NULL;
        CHECK(raw_read(&t, &layout, bytes, sizeof bytes, (4 << 16) - 1) == STATUS_FORMAT &&
              strstr(status_message(), "limit"));
    }
    double values[4] = {0};
    CHECK(npy_values("{'descr': '>f2', 'fortran_order': True, 'shape': (2, 2)}", "\x3c\0\x40\0\xc2\0\0\1", 8,
                     4, values) == STATUS_OK);
    CHECK(values[0] == 1 && values[1] == -3 && values[2] == 2 && values[3] == ldexp(1, -24));
    CHECK(npy_values("{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}",
                     "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, 1, values) == STATUS_OK);
    CHECK(npy_values("{'descr': '>u8', 'fortran_order': False, 'shape': (1,)}", "\x80\0\0\0\0\0\0\0", 8, 1,
                     values) == STATUS_UNSUPPORTED);
    CHECK(strstr(status_message(), "uint64 9223372036854775808; int64 ends at 2^63 - 1"));
}

/* Headers, and what is said about them. */
static const char *const refused[][2] = {
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
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, "
     "2147483647)}",
     "2^63"},
    {"{'descr': '<i1', 'fortran_order': False, 'shape': (2147483647, "
     "2147483647, 0)}",
     "2^63"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647,)}",
     "(8589934588 bytes), the file holds 4"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "bytes follow"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "follows"},
    {"{'descr' '<f4'}", "colon"},
    {"{'descr': '<f4", "end"},
    {"{1: 2}", "quoted"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", "no size"},
};

static void test_npy_refused(void)
{
    double values[4];
    interrupt_request();
    CHECK(npy_values("{'descr': '>f4', 'fortran_order': False, 'shape': ()}", "abcd", 4, 1, values) ==
          STATUS_INTERRUPTED);
    CHECK(npy_values("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "abcd", 4, 1, values) ==
          STATUS_OK);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum status status = npy_values(refused[i][0], "abcd", 4, 0, values);
        int dtype = strstr(status_message(), "readable are") || strstr(status_message(), "structured");
        CHECK(status == (dtype ? STATUS_UNSUPPORTED : STATUS_FORMAT));
        if (!strstr(status_message(), refused[i][1])) printf("%s\n", refused[i][0]);
        CHECK(strstr(status_message(), refused[i][1]));
    }
}

static void test_npy_versions(void)
{
    struct tensor *t = NULL;
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\4\0    ", 12, SIZE_MAX) == STATUS_FORMAT &&
          strstr(status_message(), "version 4.0"));
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\2\0\xff\xff\xff\xff", 12, SIZE_MAX) ==
          STATUS_FORMAT);
    CHECK(strstr(status_message(), "claims 4294967295"));
    CHECK(npy_read(&t, (const unsigned char *)"\x93NUMPY\1\0\xff\xff\xff\xff", 12, SIZE_MAX) ==
          STATUS_FORMAT);
}

static const struct check_test tests[] = {
    {"strides", test_strides},
    {"npy types", test_npy_types},
    {"half precision", test_half_precision},
    {"npy refused", test_npy_refused},
    {"npy versions", test_npy_versions},
};

IO_MAIN(tests)
