#include "kernels/precision.h"

static enum precision current = PRECISION_HIGHEST;

enum precision precision_get(void) { return current; }
void precision_set(enum precision level) { current = level; }
