/* batch.h -- the same tape for another batch size.
 *
 * Many fields treat the samples of a batch independently: a value belongs to the batch when sample n occupies
 * its n-th equal share, in row-major order, and every op on the way keeps that. Such a tape can be run tile
 * by tile, so that its values stay in cache and threads take tiles. What cannot be shown to be independent (a
 * mean over the batch, a matrix with a row per sample in a product) is left alone.
 *
 * A parameter or a constant that meets the batch with an entry for each sample can be cut with it. */
#ifndef AUTODIFF_BATCH_H
#define AUTODIFF_BATCH_H

#include "autodiff/tape.h"

/* What is asked of the copy beside that it can be made. */
enum rebatch_how {
    REBATCH_ANY,
    REBATCH_ALIKE, /* the numbers of a sample have the bits that they have alone, as far as the ops are the
                      same (passes choose by shapes) */
    REBATCH_TIMED, /* so, and each sample has a time of its own: input 0, a number, becomes one for each */
};

/* Copy `tape` with its input node `batched` (rank 1, `batch` equal shares) cut to `rows` samples; the other
 * inputs stay as they are. *out is NULL when output depends on the batch in a way that cannot be cut (not an
 * error). by_sample: room for tape->n flags, of inputs and constants that are cut as well, because they have
 * equal shares for the samples; the constants become inputs, behind all others. NULL: nothing else is cut. */
enum status tape_rebatch(struct tape **out, const struct tape *tape, enum rebatch_how how, int batched,
                         int64_t batch, int64_t rows, int output, int *new_output, char *by_sample);

/* The same with several inputs that are cut, each as above, and several outputs. */
struct rebatch_ends {
    const int *inputs, *outputs;
    int n_inputs, n_outputs;
};
enum status tape_rebatch_parts(struct tape **out, const struct tape *tape, enum rebatch_how how,
                               const struct rebatch_ends *ends, int64_t batch, int64_t rows, int *new_outputs,
                               char *by_sample);

#endif
