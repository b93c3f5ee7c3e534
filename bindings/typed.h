/* typed.h -- what is typed at a line editor: bytes, and pastes between the marks ESC[200~ and ESC[201~. */
#ifndef BINDINGS_TYPED_H
#define BINDINGS_TYPED_H

#include <stddef.h>

struct typed {
    void (*wake)(void *context); /* after signals, see keyboard_wait */
    void *context;
    int interrupted; /* a byte was asked for, and Ctrl-C came */
    char *paste;     /* text of a paste on its way into the line; malloc */
    size_t paste_size, paste_room;
    unsigned char queue[16]; /* bytes read ahead while looking for a paste mark */
    int queued;
};

/* Next byte: 1, or 0 at the end of the input, or -1 after Ctrl-C. */
int typed_byte(struct typed *t, unsigned char *byte);

/* After ESC: is it the mark of a paste? If not, what was read goes to the queue. */
int typed_at_paste(struct typed *t);

/* Collect the text in `paste`, up to ESC[201~. Other control bytes than tab and newline are dropped: a paste
 * must not press keys. */
void typed_paste(struct typed *t);

#endif
