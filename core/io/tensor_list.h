/* tensor_list.h -- tensors with names, in order: what an archive holds and what a checkpoint is made of.
 *
 * An entry may be a plain value of a script: a number (a 0-d int64 or float64), a boolean (a 0-d uint8, 0 or
 * 1), or a text (the bytes of UTF-8, a uint8 of one axis).
 *
 * A list owns its names and one reference of each tensor. A slot of `tensors` may be set to NULL by whoever
 * takes the reference. Start from a zeroed struct. */
#ifndef IO_TENSOR_LIST_H
#define IO_TENSOR_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* Bounds the bookkeeping (some 700 bytes per tensor) that a small hostile file can ask for. */
#define TENSOR_LIST_MAX 100000

enum entry_kind { ENTRY_TENSOR, ENTRY_NUMBER, ENTRY_BOOLEAN, ENTRY_TEXT };

struct tensor_list {
    int n;
    char **names;
    struct tensor **tensors;
    unsigned char *kinds; /* of enum entry_kind */
    const struct tensor_list *
        wanted; /* not NULL: readers take these names only; borrowed, sorted, its tensors are not looked at */
};

/* Is the name wanted? */
int tensor_list_wants(const struct tensor_list *list, const char *name, size_t name_length);

/* A few names for a message: "a", "b", ... Start from a zeroed struct. */
struct name_listing {
    size_t used;
    int full;
    char text[300];
};
void name_listing_add(struct name_listing *listing, const char *name, size_t name_length);

/* What to do about one tensor that cannot be read; takes the names of the others. */
#define NAMES_HINT "; the others can be read with the option names = {%s}"

/* After a read: STATUS_ARGUMENT naming a wanted name that is not there and those that are. */
enum status tensor_list_check_found(const struct tensor_list *list, const struct name_listing *there);

/* Append; the name (name_length bytes, no terminator needed) is copied, the reference is given away only on
 * success. Errors: STATUS_MEMORY; STATUS_FORMAT: empty name, NUL inside, more than TENSOR_LIST_MAX
 * tensors. */
enum status tensor_list_add(struct tensor_list *list, const char *name, size_t name_length,
                            struct tensor *owned);

/* The same for an entry of another kind. */
enum status tensor_list_add_kind(struct tensor_list *list, const char *name, size_t name_length,
                                 struct tensor *owned, enum entry_kind kind);

/* Drop the entries from number n on. */
void tensor_list_cut(struct tensor_list *list, int n);

/* STATUS_FORMAT naming the first name that occurs twice. Allocates a scratch array; n log n. */
enum status tensor_list_check_unique(const struct tensor_list *list);

/* CRC-32 (that of zip) over names, dtypes, shapes and elements, in the order of the list. */
uint32_t tensor_list_checksum(const struct tensor_list *list);

/* Order of the names by bytes, so that the same tensors make the same file whatever order a Lua table was
 * walked in. */
void tensor_list_sort(struct tensor_list *list);

/* Borrowed tensor of that name or NULL. */
struct tensor *tensor_list_find(const struct tensor_list *list, const char *name);

/* Release everything and leave an empty list, which may be used or freed again. */
void tensor_list_free(struct tensor_list *list);

#endif
