/* The writing half of safetensors.h. */
#include "io/safetensors.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"

static enum status check(const struct tensor_list *list)
{
    for (int i = 0; i < list->n; i++) {
        const char *name = list->names[i], *end = name + strlen(name);
        if (name == end || strcmp(name, SAFETENSORS_METADATA) == 0)
            return status_set(STATUS_FORMAT, "a tensor in a .safetensors file cannot have the name \"%s\"",
                              name);
        for (size_t n; name < end; name += n) {
            n = json_utf8_length((const unsigned char *)name, (const unsigned char *)end);
            if (n == 0) return status_set(STATUS_FORMAT, "the name \"%.100s\" is no UTF-8", list->names[i]);
        }
    }
    return tensor_list_check_unique(list);
}

static enum status put(raw_sink *sink, void *context, const char *text)
{
    return sink(context, text, strlen(text));
}

static enum status put_string(raw_sink *sink, void *context, const char *text, size_t n)
{
    const char *end = text + n;
    TRY(put(sink, context, "\""));
    while (text < end) {
        const char *plain = text;
        while (text < end && (unsigned char)*text >= 32 && *text != '"' && *text != '\\') text++;
        TRY(sink(context, plain, (size_t)(text - plain)));
        if (text == end) break;
        char escape[8];
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)*text++);
        TRY(put(sink, context, escape));
    }
    return put(sink, context, "\"");
}

static enum status put_name(raw_sink *sink, void *context, const char *name)
{
    return put_string(sink, context, name, strlen(name));
}

/* The texts; *count of them. */
static enum status put_metadata(const struct tensor_list *list, raw_sink *sink, void *context, int *count)
{
    *count = 0;
    for (int i = 0; i < list->n; i++) {
        if (list->kinds[i] != ENTRY_TEXT) continue;
        const struct array *a = &list->tensors[i]->array;
        if ((*count)++ == 0)
            TRY(put(sink, context, "\"" SAFETENSORS_METADATA "\":{\"" SAFETENSORS_MARK "\":\"1\""));
        TRY(put(sink, context, ","));
        TRY(put_name(sink, context, list->names[i]));
        TRY(put(sink, context, ":"));
        TRY(put_string(sink, context, a->data, array_bytes(a)));
    }
    return *count ? put(sink, context, "}") : STATUS_OK;
}

static enum status put_member(raw_sink *sink, void *context, const char *name, const struct array *a,
                              size_t *offset)
{
    char text[400]; /* 8 sizes of 10 digits and 2 offsets of 20, with their words */
    int n =
        snprintf(text, sizeof text, ":{\"dtype\":\"%s\",\"shape\":[", raw_name(RAW_SAFETENSORS, a->dtype));
    for (int i = 0; i < a->rank; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, i ? ",%lld" : "%lld", (long long)a->shape[i]);
    size_t end = *offset + array_bytes(a);
    snprintf(text + n, sizeof text - (size_t)n, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
    *offset = end;
    TRY(put_name(sink, context, name));
    return put(sink, context, text);
}

/* `visited` counts the tensors, and what came before them. */
typedef enum status visitor(raw_sink *sink, void *context, const char *name, const struct array *a,
                            size_t *offset);

/* Wide elements first: then each tensor is aligned to its element size. */
static enum status each_tensor(const struct tensor_list *list, visitor *visit, int visited, raw_sink *sink,
                               void *context)
{
    static const size_t sizes[] = {8, 4, 1};
    size_t offset = 0;
    for (int pass = 0; pass < 3; pass++)
        for (int i = 0; i < list->n; i++) {
            const struct array *a = &list->tensors[i]->array;
            if (list->kinds[i] == ENTRY_TEXT || dtype_size(a->dtype) != sizes[pass]) continue;
            if (visit == put_member && visited++) TRY(put(sink, context, ","));
            TRY(visit(sink, context, list->names[i], a, &offset));
        }
    return STATUS_OK;
}

static enum status put_data(raw_sink *sink, void *context, const char *name, const struct array *a,
                            size_t *offset)
{
    (void)name;
    (void)offset;
    return raw_write(a, sink, context);
}

static enum status put_header(const struct tensor_list *list, raw_sink *sink, void *context)
{
    int texts;
    TRY(put(sink, context, "{"));
    TRY(put_metadata(list, sink, context, &texts));
    TRY(each_tensor(list, put_member, texts, sink, context));
    return put(sink, context, "}");
}

static enum status count(void *context, const void *bytes, size_t n)
{
    (void)bytes;
    *(size_t *)context += n;
    return STATUS_OK;
}

enum status safetensors_write(const struct tensor_list *list, raw_sink *sink, void *context)
{
    unsigned char prefix[8];
    size_t length = 0;
    TRY(check(list));
    TRY(put_header(list, count, &length));
    size_t padding = (8 - length % 8) % 8;
    if (length + padding > SAFETENSORS_HEADER_LIMIT)
        return status_set(STATUS_FORMAT, "the header would have %zu bytes; the limit is %d", length + padding,
                          SAFETENSORS_HEADER_LIMIT);
    raw_put_little(prefix, 8, length + padding);
    TRY(sink(context, prefix, sizeof prefix));
    TRY(put_header(list, sink, context));
    TRY(sink(context, "        ", padding));
    return each_tensor(list, put_data, 0, sink, context);
}

enum status safetensors_save(const char *path, const struct tensor_list *list)
{
    struct file_writer *writer;
    TRY(file_writer_open(&writer, path));
    return file_writer_close(writer, safetensors_write(list, file_writer_write, writer));
}
