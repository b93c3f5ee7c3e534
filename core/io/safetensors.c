#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"
#include "io/text.h"

struct safetensors_entry {
    char *name; /* owned */
    size_t name_length;
    char dtype[24]; /* of the file, when the engine cannot read it; else empty */
    struct raw_layout layout;
    size_t begin, end; /* in the data part */
};

struct entries {
    struct safetensors_entry *at;
    int n, capacity, metadata;
    int marked; /* its metadata are values that were saved beside the tensors */
};

/* ---- reading ---- */

/* An unknown dtype is an error only when the tensor is to be read. */
static enum status take_dtype(struct json_cursor *c, struct safetensors_entry *e)
{
    char *text;
    size_t n;
    TRY(json_string(c, &text, &n));
    int kind = raw_find(RAW_SAFETENSORS, text, n);
    if (kind < 0)
        snprintf(e->dtype, sizeof e->dtype, "%s", *text ? text : "(none)");
    else
        e->layout.kind = (enum raw_kind)kind;
    memory_free(text);
    return STATUS_OK;
}

static enum status take_shape(struct json_cursor *c, struct raw_layout *layout)
{
    if (!json_take(c, '[')) return json_error(c, "[ is expected");
    layout->rank = 0;
    if (json_take(c, ']')) return STATUS_OK;
    do {
        if (layout->rank == MAX_RANK)
            return status_set(STATUS_FORMAT, "header says more than %d axes", MAX_RANK);
        TRY(json_whole(c, &layout->shape[layout->rank++]));
    } while (json_take(c, ','));
    return json_take(c, ']') ? STATUS_OK : json_error(c, "] is expected");
}

static enum status take_offsets(struct json_cursor *c, struct safetensors_entry *e)
{
    int64_t begin, end;
    if (!json_take(c, '[')) return json_error(c, "[ is expected");
    TRY(json_whole(c, &begin));
    if (!json_take(c, ',')) return json_error(c, "a comma is expected");
    TRY(json_whole(c, &end));
    if (!json_take(c, ']')) return json_error(c, "] is expected");
    if (begin > end)
        return status_set(STATUS_FORMAT, "its data begin at %lld and end at %lld", (long long)begin,
                          (long long)end);
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    return STATUS_OK;
}

/* {"dtype": ..., "shape": ..., "data_offsets": ...} in any order */
static enum status take_tensor(struct json_cursor *c, struct safetensors_entry *e)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    unsigned seen = 0;
    if (!json_take(c, '{')) return json_error(c, "{ is expected");
    do {
        char *key;
        size_t n;
        unsigned i = 0;
        TRY(json_string(c, &key, &n));
        while (i < 3 && strcmp(keys[i], key) != 0) i++;
        enum status status = STATUS_OK;
        if (i == 3 || (seen & 1U << i))
            status =
                status_set(STATUS_FORMAT, "its key \"%.40s\" is %s", key, i == 3 ? "unknown" : "there twice");
        memory_free(key);
        TRY(status);
        seen |= 1U << i;
        if (!json_take(c, ':')) return json_error(c, "a colon is expected");
        TRY(i == 0 ? take_dtype(c, e) : i == 1 ? take_shape(c, &e->layout) : take_offsets(c, e));
    } while (json_take(c, ','));
    if (!json_take(c, '}')) return json_error(c, "} is expected");
    return seen == 7
               ? STATUS_OK
               : status_set(STATUS_FORMAT, "\"dtype\", \"shape\" and \"data_offsets\" must all be there");
}

/* One text of the metadata, which the list gets if it is wanted; the mark gets there never. */
static enum status add_text(struct tensor_list *list, struct entries *entries, const char *key, size_t n,
                            const char *text, size_t length)
{
    struct tensor *t = NULL;
    if (strcmp(key, SAFETENSORS_MARK) == 0) {
        entries->marked = 1;
        return STATUS_OK;
    }
    if (n == 0 || !tensor_list_wants(list, key, n)) return STATUS_OK;
    TRY(text_new(&t, text, length));
    enum status status = tensor_list_add_kind(list, key, n, t, ENTRY_TEXT);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

/* "key": "text" */
static enum status take_text(struct json_cursor *c, struct tensor_list *list, struct entries *entries)
{
    char *key, *text;
    size_t n, length;
    TRY(json_string(c, &key, &n));
    enum status status =
        json_take(c, ':') ? json_string(c, &text, &length) : json_error(c, "a colon is expected");
    if (status == STATUS_OK) {
        status = add_text(list, entries, key, n, text, length);
        memory_free(text);
    }
    memory_free(key);
    return status;
}

/* An object of strings; without the mark its contents are not kept. */
static enum status take_metadata(struct json_cursor *c, struct tensor_list *list, struct entries *entries)
{
    int before = list->n;
    if (!json_take(c, '{')) return json_error(c, "{ is expected");
    if (json_take(c, '}')) return STATUS_OK;
    do TRY(take_text(c, list, entries));
    while (json_take(c, ','));
    if (!entries->marked) tensor_list_cut(list, before);
    return json_take(c, '}') ? STATUS_OK : json_error(c, "} is expected");
}

static enum status add_entry(struct entries *list, char *name, size_t name_length)
{
    if (list->n == TENSOR_LIST_MAX)
        return status_set(STATUS_FORMAT, "more than %d tensors in one file", TENSOR_LIST_MAX);
    if (list->n == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 8;
        struct safetensors_entry *at = memory_realloc(list->at, (size_t)capacity * sizeof *at);
        if (!at) return memory_status();
        list->at = at;
        list->capacity = capacity;
    }
    list->at[list->n++] = (struct safetensors_entry){.name = name, .name_length = name_length};
    return STATUS_OK;
}

static enum status take_member(struct json_cursor *c, struct tensor_list *list, struct entries *entries)
{
    char *name;
    size_t n;
    TRY(json_string(c, &name, &n));
    int metadata = strcmp(name, SAFETENSORS_METADATA) == 0;
    enum status status = STATUS_OK;
    if (!metadata) status = add_entry(entries, name, n);
    if (metadata || status != STATUS_OK) memory_free(name);
    TRY(status);
    if (!json_take(c, ':')) return json_error(c, "a colon is expected");
    if (metadata)
        return entries->metadata++ ? json_error(c, SAFETENSORS_METADATA " is there twice")
                                   : take_metadata(c, list, entries);
    status = take_tensor(c, &entries->at[entries->n - 1]);
    return status == STATUS_OK ? STATUS_OK : status_prefix(status, "tensor \"%.100s\"", name);
}

static enum status parse_header(struct json_cursor *c, struct tensor_list *list, struct entries *entries)
{
    if (c->at == c->end || *c->at != '{') return json_error(c, "{ is expected");
    c->at++;
    if (!json_take(c, '}')) {
        do TRY(take_member(c, list, entries));
        while (json_take(c, ','));
        if (!json_take(c, '}')) return json_error(c, "} is expected");
    }
    while (c->at < c->end && *c->at == ' ') c->at++;
    return c->at == c->end ? STATUS_OK : json_error(c, "only spaces may follow the }");
}

static int by_begin(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static enum status read_tensor(struct tensor_list *list, const struct safetensors_entry *e,
                               const unsigned char *data)
{
    struct tensor *t = NULL;
    if (!tensor_list_wants(list, e->name, e->name_length)) return STATUS_OK;
    if (e->dtype[0])
        return status_set(STATUS_UNSUPPORTED, "its dtype %s cannot be read; readable are %s", e->dtype,
                          raw_names(RAW_SAFETENSORS));
    TRY(raw_read(&t, &e->layout, data + e->begin, e->end - e->begin, SIZE_MAX));
    enum status status = tensor_list_add(list, e->name, e->name_length, t);
    if (status != STATUS_OK) tensor_release(t);
    return status;
}

/* The tensors that can be read, but for one, for messages. */
static struct name_listing list_names(const struct entries *entries, int except)
{
    struct name_listing listing = {0};
    for (int i = 0; i < entries->n && !listing.full; i++)
        if (i != except && !entries->at[i].dtype[0])
            name_listing_add(&listing, entries->at[i].name, entries->at[i].name_length);
    return listing;
}

static enum status read_tensors(struct tensor_list *list, struct entries *entries, const unsigned char *data,
                                size_t size)
{
    size_t filled = 0;
    if (entries->n) qsort(entries->at, (size_t)entries->n, sizeof *entries->at, by_begin);
    for (int i = 0; i < entries->n; i++) {
        const struct safetensors_entry *e = &entries->at[i];
        enum status status;
        if (e->end > size)
            status = status_set(STATUS_FORMAT, "its data end at byte %zu of %zu", e->end, size);
        else if (e->begin != filled)
            status =
                status_set(STATUS_FORMAT, "its data begin at byte %zu, the tensor before ends at %zu: %s",
                           e->begin, filled, e->begin < filled ? "they overlap" : "a gap");
        else
            status = read_tensor(list, e, data);
        if (status != STATUS_OK) {
            struct name_listing others = list_names(entries, i);
            status_prefix(status, "tensor \"%.100s\"", e->name);
            return status == STATUS_UNSUPPORTED && others.used
                       ? status_append(status, NAMES_HINT, others.text)
                       : status;
        }
        filled = e->end;
    }
    if (filled != size) return status_set(STATUS_FORMAT, "%zu bytes follow the last tensor", size - filled);
    TRY(tensor_list_check_unique(list));
    struct name_listing all = list_names(entries, -1);
    for (int i = 0; i < list->n; i++)
        if (list->kinds[i] == ENTRY_TEXT) name_listing_add(&all, list->names[i], strlen(list->names[i]));
    return tensor_list_check_found(list, &all);
}

enum status safetensors_read(struct tensor_list *list, const unsigned char *bytes, size_t size)
{
    if (size < 8) return status_set(STATUS_FORMAT, "it is no .safetensors file (too short)");
    uint64_t length = raw_little(bytes, 8);
    if (length > SAFETENSORS_HEADER_LIMIT)
        return status_set(STATUS_FORMAT, "the header claims %llu bytes; the limit is %d",
                          (unsigned long long)length, SAFETENSORS_HEADER_LIMIT);
    if (length > size - 8)
        return status_set(STATUS_FORMAT, "the header claims %llu bytes, the file holds %zu after its start",
                          (unsigned long long)length, size - 8);
    const char *text = (const char *)bytes + 8;
    struct json_cursor c = {text, text, text + length};
    struct entries entries = {0};
    enum status status = parse_header(&c, list, &entries);
    if (status == STATUS_OK)
        status = read_tensors(list, &entries, bytes + 8 + length, size - 8 - (size_t)length);
    for (int i = 0; i < entries.n; i++) memory_free(entries.at[i].name);
    memory_free(entries.at);
    return status;
}
