/* system.h -- what others ask the system for. */
#ifndef BINDINGS_SYSTEM_H
#define BINDINGS_SYSTEM_H

/* Columns of the terminal of standard output, COLUMNS when that is none, else 80. */
int terminal_width(void);

#endif
