#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/* The numbers follow in the same block: small tensors come and go by the thousand. */
struct storage {
    int refs;
    size_t bytes;
    _Alignas(64) unsigned char data[];
};

static const struct {
    const char *name;
    size_t size;
} dtypes[DTYPE_COUNT] = {
    [FLOAT32] = {"float32", 4},
    [FLOAT64] = {"float64", 8},
    [INT64] = {"int64", 8},
    [UINT8] = {"uint8", 1},
};

const char *dtype_name(enum dtype dtype) { return dtypes[dtype].name; }
size_t dtype_size(enum dtype dtype) { return dtypes[dtype].size; }
int dtype_is_float(enum dtype dtype) { return dtype == FLOAT32 || dtype == FLOAT64; }

enum status dtype_find(const char *name, enum dtype *out)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            *out = (enum dtype)i;
            return STATUS_OK;
        }
    return status_set(STATUS_DTYPE,
                      "unknown dtype \"%.40s\"; valid are \"float32\", \"float64\", \"int64\", \"uint8\"",
                      name);
}

enum dtype dtype_promote(enum dtype a, enum dtype b)
{
    static const int level[DTYPE_COUNT] = {[UINT8] = 0, [INT64] = 1, [FLOAT32] = 2, [FLOAT64] = 3};
    return level[a] >= level[b] ? a : b;
}

enum status array_init(struct array *a, enum dtype dtype, int rank, const int64_t *shape)
{
    if (rank < 0 || rank > MAX_RANK)
        return status_set(STATUS_SHAPE, "a tensor has at most %d axes, got %d", MAX_RANK, rank);
    a->dtype = dtype;
    a->rank = rank;
    a->data = NULL;
    int64_t stride = 1, bytes = (int64_t)dtype_size(dtype);
    for (int i = rank - 1; i >= 0; i--) {
        if (shape[i] < 0 || shape[i] > MAX_DIM)
            return status_set(STATUS_SHAPE, "axis %d has size %lld; sizes lie in 0..%lld", i + 1,
                              (long long)shape[i], (long long)MAX_DIM);
        a->shape[i] = shape[i];
        a->stride[i] = stride;
        int64_t extent = shape[i] > 0 ? shape[i] : 1;
        if (__builtin_mul_overflow(bytes, extent, &bytes))
            return status_set(STATUS_SHAPE, "a tensor of this shape would have more than 2^63 bytes");
        stride *= extent;
    }
    return STATUS_OK;
}

int64_t array_numel(const struct array *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

size_t array_bytes(const struct array *a) { return (size_t)array_numel(a) * dtype_size(a->dtype); }

int array_is_contiguous(const struct array *a)
{
    int64_t expected = 1;
    for (int i = a->rank - 1; i >= 0; i--) {
        if (a->shape[i] == 0) return 1;
        if (a->shape[i] != 1 && a->stride[i] != expected) return 0;
        expected *= a->shape[i];
    }
    return 1;
}

int array_same_shape(const struct array *a, const struct array *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof a->shape[0]) == 0;
}

char *array_shape_text(const struct array *a, char buf[SHAPE_TEXT])
{
    int n = snprintf(buf, SHAPE_TEXT, "{");
    for (int i = 0; i < a->rank; i++)
        n += snprintf(buf + n, (size_t)(SHAPE_TEXT - n), i ? ", %lld" : "%lld", (long long)a->shape[i]);
    snprintf(buf + n, (size_t)(SHAPE_TEXT - n), "}");
    return buf;
}

void *array_at(const struct array *a, int64_t i)
{
    int64_t offset = 0;
    for (int axis = a->rank - 1; axis >= 0; axis--) {
        offset += (i % a->shape[axis]) * a->stride[axis];
        i /= a->shape[axis];
    }
    return (char *)a->data + offset * (int64_t)dtype_size(a->dtype);
}

double array_get(const struct array *a, int64_t i)
{
    const void *p = array_at(a, i);
    switch (a->dtype) {
    case FLOAT32: return *(const float *)p;
    case FLOAT64: return *(const double *)p;
    case INT64: return (double)*(const int64_t *)p;
    default: return *(const uint8_t *)p;
    }
}

void array_set(const struct array *a, int64_t i, double value)
{
    void *p = array_at(a, i);
    switch (a->dtype) {
    case FLOAT32: *(float *)p = (float)value; break;
    case FLOAT64: *(double *)p = value; break;
    case INT64: *(int64_t *)p = (int64_t)value; break;
    default: *(uint8_t *)p = (uint8_t)value; break;
    }
}

enum status tensor_new(struct tensor **out, enum dtype dtype, int rank, const int64_t *shape)
{
    struct array layout;
    TRY(array_init(&layout, dtype, rank, shape));
    size_t bytes = array_bytes(&layout);
    struct tensor *t = memory_alloc(sizeof *t);
    if (!t) return memory_status();
    t->storage = memory_alloc(sizeof *t->storage + bytes);
    if (!t->storage) {
        memory_free(t);
        return memory_status();
    }
    t->storage->bytes = bytes;
    t->storage->refs = 1;
    t->refs = 1;
    t->array = layout;
    t->array.data = t->storage->data;
    *out = t;
    return STATUS_OK;
}

enum status tensor_view(struct tensor **out, struct tensor *base, const struct array *layout)
{
    struct tensor *t = memory_alloc(sizeof *t);
    if (!t) return memory_status();
    t->refs = 1;
    t->array = *layout;
    t->storage = base->storage;
    t->storage->refs++;
    *out = t;
    return STATUS_OK;
}

struct tensor *tensor_retain(struct tensor *t)
{
    t->refs++;
    return t;
}

void tensor_release(struct tensor *t)
{
    if (!t || --t->refs > 0) return;
    if (--t->storage->refs == 0) memory_free(t->storage);
    memory_free(t);
}

size_t tensor_storage_bytes(const struct tensor *t) { return t->storage->bytes; }

int tensor_is_sole_owner(const struct tensor *t) { return t->refs == 1 && t->storage->refs == 1; }
