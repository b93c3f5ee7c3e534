/* Bytes from the terminal one by one, and pastes as a whole. */
#include "typed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyboard.h"

int typed_byte(struct typed *t, unsigned char *byte)
{
    if (t->queued > 0) {
        *byte = t->queue[0];
        memmove(t->queue, t->queue + 1, (size_t)--t->queued);
        return 1;
    }
    ssize_t n;
    do { /* Ctrl-C takes away what was typed before it: then there may be nothing to read after all */
        if (keyboard_wait(STDIN_FILENO, t->wake, t->context) < 0) {
            t->interrupted = 1;
            return -1;
        }
        n = read(STDIN_FILENO, byte, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1 ? 1 : 0;
}

static int paste_add(struct typed *t, unsigned char byte)
{
    if (t->paste_size + 2 > t->paste_room) {
        size_t room = t->paste_room ? 2 * t->paste_room : 256;
        char *grown = (char *)realloc(t->paste, room);
        if (!grown) return 0;
        t->paste = grown;
        t->paste_room = room;
    }
    t->paste[t->paste_size++] = (char)byte;
    t->paste[t->paste_size] = '\0';
    return 1;
}

void typed_paste(struct typed *t)
{
    static const char end[] = "\033[201~";
    size_t matched = 0;
    unsigned char byte;
    t->paste_size = 0;
    while (matched < sizeof end - 1 && typed_byte(t, &byte) > 0) {
        matched = byte == (unsigned char)end[matched] ? matched + 1 : byte == '\033';
        if (byte == '\r') byte = '\n';
        if (byte >= ' ' || byte == '\n' || byte == '\t') {
            if (byte != '\t' ? !paste_add(t, byte) : !paste_add(t, ' ') || !paste_add(t, ' ')) break;
        }
    }
    if (matched == sizeof end - 1) t->paste_size -= sizeof end - 2; /* the mark, whose ESC was dropped */
    while (t->paste_size > 0 && t->paste[t->paste_size - 1] == '\n')
        t->paste_size--; /* Enter stays with the user */
    if (t->paste) t->paste[t->paste_size] = '\0';
}

int typed_at_paste(struct typed *t)
{
    static const char mark[] = "[200~";
    int n = 0, length = (int)sizeof mark - 1;
    while (n < length && keyboard_within(20) && read(STDIN_FILENO, &t->queue[n], 1) == 1) {
        t->queued++;
        if (t->queue[n] != (unsigned char)mark[n]) return 0;
        n++;
    }
    if (n < length) return 0;
    t->queued = 0;
    return 1;
}
