/* decimal.h -- numbers as texts. */
#ifndef IO_DECIMAL_H
#define IO_DECIMAL_H

#define DECIMAL_TEXT 32

/* The text that printf's %.15g, %.16g or %.17g gives of a finite v, the first that reads back equal; with a
 * point whatever the locale has. Returns its length. */
int decimal_shortest(double v, char text[DECIMAL_TEXT]);

#endif
