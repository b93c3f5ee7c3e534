/* tuning.h -- every number of the engine that was chosen and not derived: what it means, its unit, and why it
 * is what it is.
 *
 * A name begins with the file or the subject that reads it. Facts of formats, of the arithmetic and of the
 * instruction sets stand where they are used. "Not measured" means that neighbours were not tried, so another
 * value may well be better. To try one: change it here, build, and let `./tide tests/bench/bench.lua --only
 * WORK` of the new and of the old build take turns; tests/bench/NOTES.md holds what came out so far (its
 * numbers in brackets below). Numbers marked [bits] fix where sums are cut, and bounds of ways choose between
 * kernels, so results change in their last bits with either; none depends on the number of threads. */
#ifndef BASE_TUNING_H
#define BASE_TUNING_H

#include <stddef.h>
#include <stdint.h>

/* ---- threads and memory ---- */

/* Looks at the flag of new work before an idle worker sleeps, and at that of finished work before the caller
 * offers its core to others, 150 us of them: longer than what lies between two solves of a training step
 * (mlp, four threads, NOTES 2: 0.26 ms, with 20 us 0.68 ms; waking a thread costs about 50 us). */
#define THREADS_SPINS 30000

/* Bytes of the largest freed block that is kept, and of all that wait. The system's aligned allocation was a
 * tenth of a small training step (NOTES 4); the bounds are not measured: chosen as what such a step frees. */
#define MEMORY_CACHE_BLOCK ((size_t)64 << 10)
#define MEMORY_CACHE_BYTES ((size_t)8 << 20)

/* Of glibc's allocation: bytes of the smallest block that is a mapping of its own, 32 MiB is its limit, and
 * free bytes at the end of the heap that stay with the process: as many as Lua's garbage may hold, and their
 * double. By its own choice a result of 8 MiB met 2032 new pages of zeros: 4.3 ms for an outer product of
 * 256 x 64 x 64, 0.39 ms with these. */
#define MEMORY_MAPPED_BLOCK (32 << 20)
#define MEMORY_KEPT_PAGES (256 << 20)

/* Elements of one task; smaller arrays are done by the calling thread. Not measured: chosen as 10 to 50 us of
 * work, some ten times what it takes to give it away. */
#define ELEMENTWISE_TASK_ELEMENTS 32768
#define REDUCE_TASK_ELEMENTS 65536
#define COMBINE_TASK_ELEMENTS 65536

/* Rows of fewer elements are copied by columns, where these are longer: two columns of 64 numbers into a
 * matrix took 0.5 us and take 0.1. */
#define COPY_SHORT_ROW 16
#define RNG_TASK_NUMBERS 32768

/* ---- Ctrl-C: what runs between two looks at its flag, 10 ms at most (tests/bench/interrupt.lua) ---- */

#define ELEMENTWISE_PIECE_ELEMENTS ((int64_t)1 << 18) /* a multiple of every vector's length */
#define ELEMENTWISE_AT_ONCE 32768 /* one call of the kernel: no thread and no interruption is worth it */
#define REDUCE_PIECE_ELEMENTS ((int64_t)1 << 20)
#define SUM_PIECE_ELEMENTS ((int64_t)1 << 22)
#define BOUNDED_PIECE_BYTES ((size_t)1 << 25) /* set or copied */
#define BOUNDED_PIECE_WORK (1 << 27)          /* multiply-adds of the engine's own kernel */
#define BOUNDED_LEAST_COLUMNS 1024            /* of such a piece: whole vectors, and many of them */
#define BOUNDED_LONG_SUM ((int64_t)1 << 21)   /* [bits] sums of twice this length are cut */
#define GEMM_PIECE_WORK (1 << 29)             /* multiply-adds of one call of OpenBLAS */
#define GEMM_LONG_SUM 65536                   /* [bits] the same for OpenBLAS */
#define FILE_PIECE_BYTES ((size_t)1 << 22)    /* read or written */
#define INFLATE_PIECE_BYTES ((size_t)1 << 20)

/* Numbers of a result that a program computes one by one (program_small.c), a vector's: 256 oscillators of 2
 * numbers with steps of their own took 51 ms and take 34. */
#define PROGRAM_FEW_NUMBERS 4

/* ---- reductions and the solver's sums ---- */

/* [bits] Neighbours of a short sum that are worth adding by rows first. Not measured: chosen as 2 vectors. */
#define REDUCE_MAX_FOLD 32
/* Numbers of a sum that are fewer than this are added in a loop of our own, not by a call each: 512 sums of 2
 * took 8.2 us. At most the lanes of loops_reduce.h, below which the order is the same. */
#define REDUCE_FEW 16

#define SUM_ROWS_WIDTH 256 /* columns that sums over rows take at once. Not measured. */

/* Elements of a block of weighted sums: 4 KiB of float64 stay in the first-level cache, so each operand is
 * read once from memory. [bits] in the error norm. Not measured beyond that. */
#define SOLVER_BLOCK_ELEMENTS 512
#define SOLVER_FEW_ELEMENTS 4   /* are summed one after the other, in registers (bench/NOTES) */
#define CAT_AT_ONCE_BYTES 65536 /* a cat of so little is copied without a look at an interruption */

/* ---- sorting and scans ---- */

/* Numbers that are sorted by insertion: not measured. Bits of a digit, and numbers from which on it is the
 * longer one. A million normal float64 on Zen 4 with 32 KiB of first-level cache: three digits of 9 bits took
 * 18 ms, of 10 11.1, of 11 13.4, four of 8 14.9; of float32 11.3, 10.5, 9.5, 13.7. */
#define SORT_FEW 40
#define SORT_MANY 8192
#define SORT_SMALL_DIGIT 8
#define SORT_DIGIT 11 /* the longest */
#define SORT_DIGIT_OF(bits) ((bits) == 32 ? 11 : 10)
/* Keys in vectors from which on a quicksort takes its pivot from a sample, whose network costs as much as
 * dividing some 500. Neighbours were not measured. */
#define SORT_SAMPLED 1024
/* Numbers of a sample by which the first few of many are told from the rest, and places beyond those that
 * they take in it: a million with 100 wanted leave some 4000. Neighbours were not measured. */
#define SORT_SAMPLE 4096
#define SORT_SAMPLE_MORE 16
/* Numbers between two looks at the flag of interrupts; from which on lines are given to threads, in so many
 * chunks at most, whose scratch memory is bounded. Not measured. */
#define SORT_PIECE (1 << 20)
#define SORT_TASK_NUMBERS 16384
#define SORT_CHUNKS 16
#define SORT_SCRATCH_BYTES ((size_t)64 << 20)
/* Columns of a scan that are carried together: a cache line or two, and vectors. Not measured. */
#define SCAN_COLUMNS 32
#define SCAN_PIECE (1 << 18)

/* ---- products ---- */

/* Columns of a result that do not fill a vector worth the name: dot products or the transposed product serve
 * (mlp 804 -> 661 us on one thread, toy 184 -> 157 us, NOTES 3). FEW_DEPTH: the longest of the dot products,
 * whose copies of the columns stay in the first-level cache; FEW_ROWS: of a transposed product at a time. */
#define PRODUCT_FEW_COLUMNS 4
#define PRODUCT_FEW_DEPTH 512
#define PRODUCT_FEW_ROWS 256

/* Multiply-adds below which one thread is faster: some 20 us of work on one, less than a thread takes
 * to wake (NOTES 2). Neighbours were not measured. */
#define PRODUCT_PARALLEL_WORK (1 << 21)

/* Multiply-adds up to which the engine's own kernel beats OpenBLAS's preparations, and elements of a B that
 * has to be transposed for it. Own kernel against OpenBLAS on one thread of a shared Zen 5, GFLOP/s: 98 and
 * 79 for 128^3, 100 and 72 for 160^3, 97 and 88 for 256^3, 41 and 87 for 384^3; with a transposed B 84 and 56
 * for 96^3, 50 and 78 for 128^3. */
#define GEMM_SMALL_WORK (1 << 22)
#define GEMM_PACKED_ELEMENTS 16384

/* Tasks of a product by the own kernel, for a few threads each. Rows and columns of a task's part of the
 * result otherwise. Not measured: chosen as large enough for OpenBLAS, with fifteen tasks for 1024^2. */
#define GEMM_TASKS 8
#define GEMM_TILE_ROWS 192
#define GEMM_TILE_COLUMNS 384

/* A layer's chunk is made and finished while it is in the first-level cache: elements of the result, in whole
 * register blocks of rows. Beyond so many elements of B the library's blocking is better. Chosen
 * on another machine; on a busy Zen 5 with 512 KiB of second-level cache, 2048 rows ran at 91 and 68 GFLOP/s
 * (own, OpenBLAS) with 128^2 elements, at 25 and 47 with 362^2: a lower bound may be better there. */
#define LAYER_CHUNK_ELEMENTS 8192
#define LAYER_FUNCTION_WORK 64 /* multiply-adds of an activation: tanh 1 ns, a product 0.02 */
#define LAYER_BLOCK_ROWS 12
#define LAYER_MOST_WEIGHTS (1 << 18)

/* Products by bfloat16 parts: rows and columns of a task; sides and multiply-adds below which splitting and
 * packing cost more than they bring. 825 against 424 GFLOP/s at 1024^3 (NOTES 8); the bounds are not
 * measured. */
#define GEMM_BF16_TASK_ROWS 128
#define GEMM_BF16_TASK_COLUMNS 256
#define GEMM_BF16_LEAST_SIDE 64
#define GEMM_BF16_LEAST_WORK (1 << 22)

/* ---- convolutions ---- */

/* [bits] Partial sums of a weight gradient, and, where transforming them costs something, images of each at
 * least. Not measured: chosen as two for each of four threads. */
#define CONV_CHUNKS 8
#define CONV_CHUNK_IMAGES 4

/* Dense: pixels of the result, beyond which the matrix is mostly zeros, C H W and O OH OW, and samples of a
 * task. 32 filters on 4 x 4 pixels, matrices of 512 x 512, took five times as long as on 6 x 6 (NOTES 7). */
#define CONV_DENSE_MAX_PIXELS 16
#define CONV_DENSE_MAX_FEATURES 300
#define CONV_DENSE_TASK_ROWS 192

/* Planes: pixels of a result from which on it is better than columns (NOTES 7). Columns: pixels that it wants
 * in one product; not measured. Channels and pixels that planes turn at a time: a cache line. */
#define CONV_PLANES_LEAST_PIXELS 9
#define CONV_PLANES_TURNED 16
#define CONV_COLUMNS_PIXELS 256

/* Winograd: channels and tiles from which on the transforms pay (16 is a vector of AVX-512, 12 its register
 * block of rows), and bytes of transformed input and result of a strip: an image of 28 x 28 x 96 is one strip
 * of 4 x 4 tiles. 1.5 MiB was better than 0.5 to 1 MiB by 5 to 10 % (NOTES 5). Channels of a task that
 * transforms weights: not measured. */
#define CONV_WINOGRAD_LEAST_CHANNELS 16
#define CONV_WINOGRAD_LEAST_TILES 12
#define CONV_WINOGRAD_STRIP_BYTES (3 << 19)
#define CONV_WINOGRAD_WEIGHT_CHANNELS 8

/* bf16: where a matrix unit has enough to do. Not measured: no machine with AMX was at hand. */
#define CONV_BF16_LEAST_CHANNELS 16
#define CONV_BF16_LEAST_PIXELS 64

/* ---- tapes ---- */

#define TAPE_CONSTANT_LOOK_BACK 64 /* nodes at its end, for a captured tensor. Not measured. */

/* ---- tiles of a batch (autodiff/tiles.h), and what a field keeps ---- */

/* [bits] Partial sums of gradients, and so the most threads that share them out. Not measured: chosen as a
 * few for each of four threads. */
#define TILES_CHUNKS 16

/* [bits] Of an evaluation. Bytes of a tile's values, which should stay in the second-level cache; bytes of
 * the batch's below which an evaluation stays whole, and multiply-adds from which on a tile of a solve is
 * worth its calls. Tiles of whole solves: mlp 0.68 -> 0.26 ms on four threads together with THREADS_SPINS,
 * conv1d 1.9 -> 1.1 ms (NOTES 2); neighbours were not measured. */
#define TILES_BYTES ((int64_t)8 << 20)
#define TILES_WORTH_BYTES ((int64_t)1 << 20)
#define TILES_LEAST_WORK (1 << 16)
/* [bits] Of the evaluation of a state that has parts: the least. A flow of 64 units, batch 512: NOTES 13. */
#define TILES_PART_BYTES ((int64_t)256 << 10)

/* [bits] Rows of a tile for which each weight that is loaded is used so often at least: two register blocks.
 * An MLP with 512 units took 36 ms with 8 rows, 13 ms with 24 (NOTES 7). */
#define TILES_LEAST_USES 24

/* Multiply-adds per element of a product from which on a field keeps its value for the backward pass instead
 * of computing it again, with the same bits. Not measured. */
#define FIELD_DEAR 32
/* Nodes of a tape up to which a smaller choice of what is kept is looked for, in the square of them. */
#define KEEPING_MOST_NODES 4096

/* ---- records of a solve ---- */

/* Bytes of stages, and of what fields keep for the backward pass, that a record holds; the rest is computed
 * again, with the same bits. Not measured: chosen as what a process may take without being asked. */
#define RECORD_STAGE_BYTES ((int64_t)64 << 20)
#define RECORD_RESIDUAL_BYTES ((int64_t)256 << 20)
#define RECORD_FETCH_BYTES 512 /* of a step that is copied: fetched before it is wanted */

/* Their blocks: bytes that small ones share, and of the least; what is between large ones, so that they do
 * not all begin at one offset in 4 KiB, where loads wait for stores (toy on Zen 5: the gradient of relu took
 * 1.8 times as long). Neighbours: 1 and 2 KiB are as good as 256. */
#define POOL_PAGE_BYTES 4096
#define POOL_LEAST_BYTES 16
#define POOL_STAGGER_BYTES 256

/* ---- linear systems and Newton's method ---- */

/* Unknowns of a dense matrix at most (128 MiB in float64), and at most where nobody asked for one: beyond,
 * GMRES is the way; up to this size loops of our own factor it, and OpenBLAS need not be opened. */
#define LINEAR_MOST_UNKNOWNS 4096
#define LINEAR_AUTO_UNKNOWNS 2048
#define LINEAR_OWN_UNKNOWNS 32
#define SPLIT_INVERSE 100 /* entries of the inverse of a basis, see linear_split.c */

/* Right-hand sides of a call of LAPACK in the exponential of a matrix, which may be stopped in between. */
#define MATRIX_EXP_ROWS 512
#define MATRIX_EXP_RANDOM 64 /* rows from which its rounding counts as random: see NOTES 12 */

/* GMRES: vectors of a basis before it begins anew, products until it gives up, and the least share of a
 * right-hand side that rounding leaves, which gradients ask for. In Newton's method a larger share will do:
 * on the way to rounding, where another iteration follows anyway, and to a tolerance. Not measured. */
#define KRYLOV_BASIS 30
#define KRYLOV_MOST_PRODUCTS 600
#define KRYLOV_LEAST_F32 2e-6
#define KRYLOV_LEAST_F64 1e-13
#define KRYLOV_NEWTON 1e-5
#define KRYLOV_LOOSE 1e-3
#define KRYLOV_NOISE 10 /* errors of a difference along the solution: no residual is smaller than that */

/* A correction larger than this share of the one before asks for a new Jacobian; corrections of so many
 * epsilons that no longer shrink are rounding; iterations to there at most (max_newton is for others). */
#define NEWTON_SLOW 0.1
#define NEWTON_ROUNDING 1e3
#define NEWTON_TO_ROUNDING 50
#define REFINE_CORRECTIONS                                                                                   \
    100 /* of a transposed system by a user's matrix; epsilons that LU leaves of it:                         \
         */
#define REFINE_ROUNDING 16

/* To a tolerance: a Jacobian whose iterations contract by less than this is good for the next step, too
 * (Hairer, Wanner, Solving ODEs II, IV.8); of coupled stages after so few iterations as well (same): with
 * kvaerno3 and trbdf2, whose stages are solved for one after the other, that would cost digits. */
#define NEWTON_KEEP 1e-3
#define NEWTON_ROUNDS 2

/* Where Newton's method fails, the next step is at least so many times as long (same), the first times in a
 * row: the rate falls with the step, so it need not be min_factor, which is for errors without a number and
 * for a step that is far off. Evaluations at equal error, five stiff problems, 49 tolerances each, as a share
 * of those with 0.2: radau5 0.96 (van der Pol 0.90, Oregonator 0.95), kvaerno5 0.92, trbdf2 0.99; 0.7, more
 * times in a row and what the rate predicts give the same. bdf would gain nothing. */
#define NEWTON_SHRINK 0.5
#define NEWTON_SHRINKS 2

#define PREDICT_LEAST_ERROR 1e-2 /* tolerances that errors count as, at least, where growth is foreseen */

/* Of bdf that chooses its order: iterations at most; by how much a rate may shrink at a time. A matrix serves
 * for so many steps, while g changes by less than this share, a Jacobian for so many; growth of the step at
 * most, and less than what is not worth a new matrix. Errors count as so many times larger when order and
 * size are chosen, those of the next higher order more (Hindmarsh et al., SUNDIALS, 2005, for all but the
 * first). Of what was tried (tests/bench/stiff_bench.lua) the factors of caution save most: van der Pol, mu =
 * 1000, a seventh of all evaluations at equal error. */
#define BDF_ITERATIONS 4
#define BDF_RATE 0.3
#define BDF_SAME 0.3
#define BDF_AGE 20
#define BDF_JACOBIAN_AGE 50
#define BDF_MOST_GROWTH 10
#define BDF_LEAST_GROWTH 1.2
#define BDF_CAUTION 6
#define BDF_CAUTION_UP 10

/* ---- steps ---- */
/* Share of the step that an error allows, which is taken; the second from error estimates of order 6 on
 * (core/README.md). DETEST, evaluations at equal error as a share of those with 0.9, of dopri8 and vern7:
 * 0.97 and 0.97 with 0.85, 0.93 and 0.95 with 0.8, 0.91 and 0.92 with 0.75. */
#define SAFETY 0.9
#define SAFETY_HIGH_ORDER 0.8

#define STEP_MOST_REJECTIONS 50 /* in a row */
#define STEP_COARSE 1e-9 /* a step that rounding of t changes by more than this share is the rounded one */
#define STEP_SHORT 1e-9  /* of the number of steps of a grid: a last step that is shorter is none */
#define STEP_SLIVER 1e-3 /* what is left of the span after a step is more than this share of it */

#define FORWARD_DIRECTIONS 256 /* gradient = "forward" is a solve for each number: so many at most */

/* States of gradient = "reversible" that are further off than this, relative, are made again from the
 * beginning, with so many states in memory on the way: square roots of what the dtypes resolve. */
#define RETRACE_ERROR_FLOAT64 1.5e-8
#define RETRACE_ERROR_FLOAT32 3.5e-4
#define RETRACE_CHECKPOINTS 64

/* On a fixed grid the tolerances mean little: y reconstructed backwards by the adjoint may be so many
 * tolerances further off before its gradient is refused. Any y is off that is so many times larger than all
 * outputs (until it is no number takes 20 times the steps). An adjoint whose steps underflow within so many
 * of the shortest ones has a transient that t does not resolve. */
#define ADJOINT_FIXED_STEP_ALLOWANCE 10
#define ADJOINT_GROWTH 1e6
#define ADJOINT_TRANSIENT 1000

/* Events. Two zeros of a g that are further apart, as a share of the step, are both found. A point further
 * off, as a share of the range around it, than a cubic through its neighbours asks for more points; a
 * polynomial of degree 5 is believed where it is so many times larger than it differs from that of degree 3.
 * One of 30000 random g missed a zero. Behind one that begins a step the points are nearer to it by
 * EVENT_GRADING each. A step cut at theta is made again, longer than that by EVENT_MARGIN, where 4 theta (1 -
 * theta) and the error in tolerances are more. */
#define EVENT_RESOLUTION (1.0 / 64)
#define EVENT_FORESEEN 0.1
#define EVENT_DOUBT 16
#define EVENT_GRADING 8
#define EVENT_MOST_LOOKS 100 /* at a g that is enclosed: a bisection takes fewer */
#define EVENT_PILE_UP 64     /* of the shortest steps: changes of the state that are nearer pile up */
#define EVENT_MARGIN 0.01
#define EVENT_MIDDLE 0.4
#define EVENT_EXACT 0.01

/* Adams methods of variable order take their error for so many times as large: it is that of a formula one
 * order lower than the one that makes the step, but errors of neighbouring steps add up. On DETEST at 1e-5, 1
 * and 3 need 5820 and 6444 evaluations, with a largest error of 9626 and 464 tolerances. */
#define ADAMS_CAUTION 3

/* Their orders do not rise with every step any more where rounding makes so much of the error, in tolerances:
 * in float32 y' = -y was 116 tolerances of 1e-4 off, by weights of 20000 in a step of order 8. */
#define ADAMS_NOISE 0.1

/* Samples that go abreast (convoy.c), on each thread: at most and at least; for the last ones a share of the
 * places, in so many widths; 256 oscillators (tests/bench) took 8.9 ms, with 32 places 12.6, with 128 11.9.
 * [bits] Places for a share of the batch, so that there are groups for threads, or for so many at least; on
 * the way back a group is as wide as can be while one of so many places is in use. Gradients, one thread: an
 * MLP of batch 64 takes 0.59 ms, as one group 0.54, the oscillators 17.9, with half of the places 18.9. */
#define CONVOY_PLACES 64
#define CONVOY_LEAST 4
#define CONVOY_NARROWER 4
#define CONVOY_WIDTHS 3
#define CONVOY_GROUPS 4
#define CONVOY_GROUP_PLACES 16
#define CONVOY_FILLED 3

/* Stiffness (test_ode_stiff.lua): steps between looks while nothing is suspected; suspicious steps, less
 * others in between, until it is said, and others in a row that take it back; looks that settle nothing. */
#define STIFFNESS_EVERY 20
#define STIFFNESS_SAY_SO 15
#define STIFFNESS_TAKE_BACK 6
#define STIFFNESS_GIVE_UP 60

/* Shares of the boundary of stability: near it from here on where two evaluations at one time tell it well,
 * and where they do less so; no accepted step is that far beyond. Least -cos of the angle between the
 * differences of f and of y; differences of states that are smaller, in tolerances, are not judged. */
#define STIFFNESS_NEAR_PAIR 0.6
#define STIFFNESS_NEAR 0.8
#define STIFFNESS_FAR 3
#define STIFFNESS_PULL 0.5
#define STIFFNESS_NOISE 1e-3

/* Of error estimates with smaller weights; steps in a row, growth of |y|; of derivatives (instability.h). */
#define INSTABILITY_WEIGHT 0.01
#define INSTABILITY_STEPS 3
#define INSTABILITY_GROWTH 1e3
#define INSTABILITY_RUN 8
#define INSTABILITY_DERIVATIVE 10

/* Methods that are a pair: the first two are those of stiffness, above, which here is not only said, and may
 * be taken back; with 20 and 15 stiff problems took 1.18 times the evaluations at equal error
 * (tests/bench/stiff.sh), E5, which is short, 1.5 times. QUICK: where the stiff one varies its order, and a
 * mistake costs an evaluation or two (van der Pol with 5 and 8: 1.19 of LSODA's evaluations, with 1 and 2
 * 1.05). Then: steps in a row by the stiff one with which the nonstiff one would be stable, before it turns
 * back, where h rho is below so large a share of the boundary of stability, after so many products of the
 * power method; a stay with the nonstiff one that is too short to have been worth it. */
#define AUTOMATIC_EVERY 5
#define AUTOMATIC_SAY_SO 8
#define AUTOMATIC_EVERY_QUICK 1
#define AUTOMATIC_SAY_SO_QUICK 2
#define AUTOMATIC_PATIENCE 10
#define AUTOMATIC_CALM 0.5
#define AUTOMATIC_PRODUCTS 5
#define AUTOMATIC_SHORT 45

#endif
