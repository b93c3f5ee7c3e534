#include "io/tensor_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "io/raw.h"

/* Room grows at powers of two, so that n alone tells the capacity. */
static enum status grow_list(struct tensor_list *list)
{
    if (list->n & (list->n - 1)) return STATUS_OK;
    size_t capacity = list->n ? 2 * (size_t)list->n : 1;
    char **names = memory_realloc(list->names, capacity * sizeof *names);
    if (!names) return memory_status();
    list->names = names;
    struct tensor **tensors = memory_realloc(list->tensors, capacity * sizeof *tensors);
    if (!tensors) return memory_status();
    list->tensors = tensors;
    unsigned char *kinds = memory_realloc(list->kinds, capacity * sizeof *kinds);
    if (!kinds) return memory_status();
    list->kinds = kinds;
    return STATUS_OK;
}

enum status tensor_list_add(struct tensor_list *list, const char *name, size_t name_length,
                            struct tensor *owned)
{
    return tensor_list_add_kind(list, name, name_length, owned, ENTRY_TENSOR);
}

enum status tensor_list_add_kind(struct tensor_list *list, const char *name, size_t name_length,
                                 struct tensor *owned, enum entry_kind kind)
{
    if (name_length == 0) return status_set(STATUS_FORMAT, "a tensor without a name");
    if (memchr(name, 0, name_length))
        return status_set(STATUS_FORMAT, "the name \"%.100s\" has a NUL byte inside", name);
    if (list->n >= TENSOR_LIST_MAX)
        return status_set(STATUS_FORMAT, "more than %d tensors in one file", TENSOR_LIST_MAX);
    TRY(grow_list(list));
    char *copy = memory_alloc(name_length + 1);
    if (!copy) return memory_status();
    memcpy(copy, name, name_length);
    copy[name_length] = 0;
    list->names[list->n] = copy;
    list->kinds[list->n] = (unsigned char)kind;
    list->tensors[list->n++] = owned;
    return STATUS_OK;
}

struct named_tensor {
    char *name;
    struct tensor *tensor;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named_tensor *)a)->name, ((const struct named_tensor *)b)->name);
}

enum status tensor_list_check_unique(const struct tensor_list *list)
{
    enum status status = STATUS_OK;
    struct named_tensor *sorted = memory_alloc((size_t)list->n * sizeof *sorted);
    if (!sorted) return memory_status();
    for (int i = 0; i < list->n; i++) sorted[i] = (struct named_tensor){list->names[i], NULL};
    qsort(sorted, (size_t)list->n, sizeof *sorted, by_name);
    for (int i = 1; i < list->n && status == STATUS_OK; i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0)
            status = status_set(STATUS_FORMAT, "the name \"%.200s\" occurs twice", sorted[i].name);
    memory_free(sorted);
    return status;
}

static enum status add_to_sum(void *context, const void *bytes, size_t n)
{
    uint32_t *sum = context;
    *sum = (uint32_t)crc32_z(*sum, bytes, n);
    return STATUS_OK;
}

uint32_t tensor_list_checksum(const struct tensor_list *list)
{
    uint32_t sum = 0;
    for (int i = 0; i < list->n; i++) {
        const struct array *a = &list->tensors[i]->array;
        unsigned char shape[8 * (MAX_RANK + 1)];
        raw_put_little(shape, 8, (uint64_t)a->rank);
        for (int k = 0; k < a->rank; k++) raw_put_little(shape + 8 + 8 * k, 8, (uint64_t)a->shape[k]);
        add_to_sum(&sum, list->names[i], strlen(list->names[i]) + 1);
        add_to_sum(&sum, dtype_name(a->dtype), strlen(dtype_name(a->dtype)) + 1);
        add_to_sum(&sum, shape, 8 + 8 * (size_t)a->rank);
        raw_write(a, add_to_sum, &sum);
    }
    return sum;
}

static void swap_entries(struct tensor_list *list, int i, int j)
{
    char *name = list->names[i];
    struct tensor *tensor = list->tensors[i];
    unsigned char kind = list->kinds[i];
    list->names[i] = list->names[j];
    list->tensors[i] = list->tensors[j];
    list->kinds[i] = list->kinds[j];
    list->names[j] = name;
    list->tensors[j] = tensor;
    list->kinds[j] = kind;
}

static void sift_down(struct tensor_list *list, int root, int n)
{
    for (int child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && strcmp(list->names[child], list->names[child + 1]) < 0) child++;
        if (strcmp(list->names[root], list->names[child]) >= 0) return;
        swap_entries(list, root, child);
    }
}

/* Heap sort: in place over the two parallel arrays, so that it cannot fail. */
void tensor_list_sort(struct tensor_list *list)
{
    for (int i = list->n / 2 - 1; i >= 0; i--) sift_down(list, i, list->n);
    for (int last = list->n - 1; last > 0; last--) {
        swap_entries(list, 0, last);
        sift_down(list, 0, last);
    }
}

int tensor_list_wants(const struct tensor_list *list, const char *name, size_t name_length)
{
    if (!list->wanted) return 1;
    for (int low = 0, high = list->wanted->n; low < high;) {
        int middle = low + (high - low) / 2;
        const char *other = list->wanted->names[middle];
        int order = strncmp(name, other, name_length);
        if (order == 0) order = other[name_length] ? -1 : 0;
        if (order == 0) return 1;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

void name_listing_add(struct name_listing *l, const char *name, size_t name_length)
{
    if (l->full) return;
    l->full = l->used + name_length + 10 > sizeof l->text;
    const char *comma = l->used ? ", " : "";
    if (l->full)
        l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s...", comma);
    else
        l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s\"%.*s\"", comma,
                                    (int)name_length, name);
}

enum status tensor_list_check_found(const struct tensor_list *list, const struct name_listing *there)
{
    if (!list->wanted || list->n == list->wanted->n) return STATUS_OK; /* both without doubles */
    for (int i = 0; i < list->wanted->n; i++)
        if (!tensor_list_find(list, list->wanted->names[i]))
            return status_set(STATUS_ARGUMENT, "there is no tensor \"%.100s\" in it; it holds %s",
                              list->wanted->names[i], there->used ? there->text : "none");
    return STATUS_OK;
}

struct tensor *tensor_list_find(const struct tensor_list *list, const char *name)
{
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->names[i], name) == 0) return list->tensors[i];
    return NULL;
}

void tensor_list_cut(struct tensor_list *list, int n)
{
    for (int i = n; i < list->n; i++) {
        memory_free(list->names[i]);
        tensor_release(list->tensors[i]);
    }
    list->n = n < list->n ? n : list->n;
}

void tensor_list_free(struct tensor_list *list)
{
    tensor_list_cut(list, 0);
    memory_free(list->names);
    memory_free(list->tensors);
    memory_free(list->kinds);
    *list = (struct tensor_list){0};
}
