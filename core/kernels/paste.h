/* paste.h -- names of functions that are compiled for several types or instruction sets.
 *
 * A file x_body.h holds functions for a type T whose names end in SUFFIX; whoever includes it defines both,
 * and it undefines them at its end. LOOPS_NAME is the instruction set that a *_loops.c is compiled for. */
#ifndef KERNELS_PASTE_H
#define KERNELS_PASTE_H

#ifndef LOOPS_NAME
#define LOOPS_NAME generic
#endif

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b) /* a_b */
#define TYPED(name) PASTE(name, SUFFIX)
#define LOOPED(name) PASTE(name, LOOPS_NAME)

#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

#endif
