#include "io/raw.h"

#include <string.h>

#include "base/interrupt.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "raw_write and the fast path of raw_read copy bytes as they are");

static const struct {
    size_t size;
    enum dtype dtype;
    const char *names[2]; /* by enum raw_format */
    const char *text;
} kinds[RAW_KIND_COUNT] = {
    [RAW_BOOL] = {1, UINT8, {"b1", "BOOL"}, "bool"},     [RAW_U8] = {1, UINT8, {"u1", "U8"}, "uint8"},
    [RAW_I8] = {1, INT64, {"i1", "I8"}, "int8"},         [RAW_I16] = {2, INT64, {"i2", "I16"}, "int16"},
    [RAW_U16] = {2, INT64, {"u2", "U16"}, "uint16"},     [RAW_I32] = {4, INT64, {"i4", "I32"}, "int32"},
    [RAW_U32] = {4, INT64, {"u4", "U32"}, "uint32"},     [RAW_I64] = {8, INT64, {"i8", "I64"}, "int64"},
    [RAW_U64] = {8, INT64, {"u8", "U64"}, "uint64"},     [RAW_F16] = {2, FLOAT32, {"f2", "F16"}, "float16"},
    [RAW_BF16] = {2, FLOAT32, {"", "BF16"}, "bfloat16"}, [RAW_F32] = {4, FLOAT32, {"f4", "F32"}, "float32"},
    [RAW_F64] = {8, FLOAT64, {"f8", "F64"}, "float64"},
};

static const enum raw_kind kind_of[DTYPE_COUNT] = {
    [FLOAT32] = RAW_F32, [FLOAT64] = RAW_F64, [INT64] = RAW_I64, [UINT8] = RAW_U8};

int raw_find(enum raw_format format, const char *name, size_t length)
{
    for (int kind = 0; kind < RAW_KIND_COUNT; kind++) {
        const char *known = kinds[kind].names[format];
        if (length > 0 && strlen(known) == length && memcmp(known, name, length) == 0) return kind;
    }
    return -1;
}

const char *raw_name(enum raw_format format, enum dtype dtype) { return kinds[kind_of[dtype]].names[format]; }

const char *raw_names(enum raw_format format)
{
    return format == RAW_NPY ? "f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1"
                             : "F16, BF16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, BOOL";
}

enum status raw_bytes(const struct raw_layout *layout, size_t *bytes, size_t *widened)
{
    if (layout->rank < 0 || layout->rank > MAX_RANK)
        return status_set(STATUS_FORMAT, "header says %d axes; a tensor has at most %d", layout->rank,
                          MAX_RANK);
    int64_t limit =
        (int64_t)dtype_size(kinds[layout->kind].dtype); /* the tensor may need more bytes than the file */
    size_t n = 1;
    for (int i = 0; i < layout->rank; i++) {
        int64_t extent = layout->shape[i];
        if (extent < 0 || extent > MAX_DIM)
            return status_set(STATUS_FORMAT, "header says size %lld for axis %d; sizes lie in 0..%lld",
                              (long long)extent, i + 1, (long long)MAX_DIM);
        if (__builtin_mul_overflow(limit, extent > 0 ? extent : 1, &limit))
            return status_set(STATUS_FORMAT, "header says a shape of more than 2^63 bytes");
        n *= (size_t)extent;
    }
    *bytes = n * kinds[layout->kind].size;
    *widened = n * dtype_size(kinds[layout->kind].dtype);
    return STATUS_OK;
}

uint64_t raw_little(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

uint64_t raw_big(const unsigned char *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[i];
    return value;
}

void raw_put_little(unsigned char *p, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++, value >>= 8) p[i] = (unsigned char)value;
}

static int64_t sign_extend(uint64_t bits, int width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);
    return (int64_t)((bits ^ sign) - sign);
}

/* IEEE half precision as float32, exactly: the same sign, exponent rebiased, payloads of NaN kept. */
static uint32_t widen_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
    if (exponent == 31) return sign | 0x7f800000 | mantissa << 13;
    if (exponent) return sign | (exponent + 112) << 23 | mantissa << 13;
    if (!mantissa) return sign;
    unsigned shift =
        (unsigned)__builtin_clz(mantissa) - 21; /* mantissa * 2^-24 with its first bit brought to place 10 */
    return sign | (113 - shift) << 23 | (mantissa << shift & 1023) << 13;
}

static void store(enum raw_kind kind, uint64_t bits, void *to)
{
    int64_t value = (int64_t)bits;
    uint32_t single = (uint32_t)bits;
    uint8_t byte = (uint8_t)bits;
    switch (kind) {
    case RAW_BOOL:
        byte = bits != 0;
        memcpy(to, &byte, 1);
        return;
    case RAW_U8: memcpy(to, &byte, 1); return;
    case RAW_F16:
        single = widen_half(single);
        memcpy(to, &single, 4);
        return;
    case RAW_BF16:
        single <<= 16;
        memcpy(to, &single, 4);
        return;
    case RAW_F32: memcpy(to, &single, 4); return;
    case RAW_I8: value = sign_extend(bits, 8); break;
    case RAW_I16: value = sign_extend(bits, 16); break;
    case RAW_I32: value = sign_extend(bits, 32); break;
    default: break; /* unsigned ones, and 64 bits of any meaning */
    }
    memcpy(to, &value, 8);
}

/* Walk the target in row-major order; `at` is the element of the source that belongs there. */
static enum status copy_elements(const struct raw_layout *layout, const unsigned char *from, char *to,
                                 int64_t n)
{
    int64_t stride[MAX_RANK], index[MAX_RANK] = {0}, at = 0, step = 1;
    int size = (int)kinds[layout->kind].size, rank = layout->rank;
    size_t to_size = dtype_size(kinds[layout->kind].dtype);
    for (int i = 0; i < rank; i++) {
        int axis = layout->fortran ? i : rank - 1 - i;
        stride[axis] = step;
        step *= layout->shape[axis];
    }
    for (int64_t i = 0; i < n; i++, to += to_size) {
        if (i % (1 << 20) == 0) TRY(interrupt_poll());
        const unsigned char *p = from + at * size;
        uint64_t bits = layout->big_endian ? raw_big(p, size) : raw_little(p, size);
        if (layout->kind == RAW_U64 && bits > INT64_MAX)
            return status_set(STATUS_UNSUPPORTED, "it holds the uint64 %llu; int64 ends at 2^63 - 1",
                              (unsigned long long)bits);
        store(layout->kind, bits, to);
        for (int axis = rank - 1; axis >= 0; axis--) {
            at += stride[axis];
            if (++index[axis] < layout->shape[axis]) break;
            at -= stride[axis] * layout->shape[axis];
            index[axis] = 0;
        }
    }
    return STATUS_OK;
}

enum status raw_check(const struct raw_layout *layout, size_t size, size_t limit)
{
    size_t needed, widened;
    TRY(raw_bytes(layout, &needed, &widened));
    if (needed != size)
        return status_set(STATUS_FORMAT, "header says %zu elements of %s (%zu bytes), the file holds %zu%s",
                          needed / kinds[layout->kind].size, kinds[layout->kind].text, needed, size,
                          size > needed ? ": bytes follow the data" : "");
    if (widened > limit)
        return status_set(STATUS_FORMAT, "its %s would become %zu bytes of %s; the limit leaves %zu",
                          kinds[layout->kind].text, widened, dtype_name(kinds[layout->kind].dtype), limit);
    return STATUS_OK;
}

enum status raw_read(struct tensor **out, const struct raw_layout *layout, const unsigned char *bytes,
                     size_t size, size_t limit)
{
    TRY(raw_check(layout, size, limit));
    enum dtype dtype = kinds[layout->kind].dtype;
    struct tensor *t;
    TRY(tensor_new(&t, dtype, layout->rank, layout->shape));
    enum status status = STATUS_OK;
    int as_is = kind_of[dtype] == layout->kind && (!layout->big_endian || kinds[layout->kind].size == 1);
    if (as_is && (!layout->fortran || layout->rank < 2))
        memcpy(t->array.data, bytes, size);
    else
        status = copy_elements(layout, bytes, t->array.data, array_numel(&t->array));
    if (status == STATUS_OK)
        *out = t;
    else
        tensor_release(t);
    return status;
}

enum status raw_write(const struct array *a, raw_sink *sink, void *context)
{
    if (array_is_contiguous(a)) return sink(context, a->data, array_bytes(a));
    unsigned char buffer[16384]; /* a multiple of every element size */
    size_t used = 0, size = dtype_size(a->dtype);
    int64_t index[MAX_RANK] = {0}, n = array_numel(a), at = 0;
    for (int64_t i = 0; i < n; i++) {
        memcpy(buffer + used, (const char *)a->data + at * (int64_t)size, size);
        used += size;
        if (used == sizeof buffer) {
            TRY(sink(context, buffer, used));
            used = 0;
        }
        for (int axis = a->rank - 1; axis >= 0; axis--) {
            at += a->stride[axis];
            if (++index[axis] < a->shape[axis]) break;
            at -= a->stride[axis] * a->shape[axis];
            index[axis] = 0;
        }
    }
    return sink(context, buffer, used);
}
