/* standard_files.h -- standard input, output and error are open, so that a file that is opened later cannot
 * take their place: with output closed (`./tide x.lua >&-`), print would write into it. */
#ifndef BINDINGS_STANDARD_FILES_H
#define BINDINGS_STANDARD_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Those that are closed are opened the wrong way round, so that reading and writing still fail, as their
 * closing promised. */
static inline void standard_files_open(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return;
}

#endif
