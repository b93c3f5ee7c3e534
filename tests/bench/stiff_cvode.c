/* CVODE's side of tests/bench/stiff.sh: for each line
 *
 *   METHOD NAME n t rtol seconds y(0) ... atol ...        METHOD: bdf, adams; n numbers of each
 *
 * it solves NAME of the fields in argv[1] from 0 to t, again and again for so many seconds, and answers with
 *
 *   evaluations jacobians steps rejected seconds y(t) ...
 *
 * evaluations with those for Jacobians, which are differences; the least of the times of the processor, with
 * all of the set-up. */
#include <cvode/cvode.h>
#include <dlfcn.h>
#include <nvector/nvector_serial.h>
#include <stdio.h>
#include <string.h>
#include <sundials/sundials_context.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunmatrix/sunmatrix_dense.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>
#include <time.h>

#include "autodiff/tide_field.h"

#define MOST 64

struct job {
    int stiff, n;
    double t, rtol, seconds, y0[MOST], atol[MOST], y[MOST];
    long evaluations, jacobians, steps, rejected;
    const struct tide_field *f;
};

static int right_hand_side(sunrealtype t, N_Vector y, N_Vector dy, void *data)
{
    const struct job *j = data;
    struct tide_field_call call = {.n = j->n, .rows = 1};
    return j->f->f(&call, t, N_VGetArrayPointer(y), N_VGetArrayPointer(dy));
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int count(struct job *j, void *cvode)
{
    long more = 0;
    j->jacobians = j->rejected = 0;
    CVodeGetNumRhsEvals(cvode, &j->evaluations);
    CVodeGetNumSteps(cvode, &j->steps);
    CVodeGetNumErrTestFails(cvode, &j->rejected);
    if (!j->stiff) return 0;
    CVodeGetNumLinRhsEvals(cvode, &more);
    CVodeGetNumJacEvals(cvode, &j->jacobians);
    j->evaluations += more;
    return 0;
}

static int solve(struct job *j, SUNContext context)
{
    N_Vector y = N_VNew_Serial(j->n, context), atol = N_VNew_Serial(j->n, context);
    SUNMatrix matrix = SUNDenseMatrix(j->n, j->n, context);
    SUNLinearSolver linear = SUNLinSol_Dense(y, matrix, context);
    SUNNonlinearSolver iteration = SUNNonlinSol_FixedPoint(y, 0, context);
    void *cvode = CVodeCreate(j->stiff ? CV_BDF : CV_ADAMS, context);
    sunrealtype reached;
    memcpy(N_VGetArrayPointer(y), j->y0, (size_t)j->n * sizeof(double));
    memcpy(N_VGetArrayPointer(atol), j->atol, (size_t)j->n * sizeof(double));
    int bad = CVodeInit(cvode, right_hand_side, 0, y) || CVodeSVtolerances(cvode, j->rtol, atol) ||
              CVodeSetUserData(cvode, j) || CVodeSetMaxNumSteps(cvode, 10000000) ||
              CVodeSetStopTime(cvode, j->t) ||
              (j->stiff ? CVodeSetLinearSolver(cvode, linear, matrix)
                        : CVodeSetNonlinearSolver(cvode, iteration)) ||
              CVode(cvode, j->t, y, &reached, CV_NORMAL) < 0 || count(j, cvode);
    memcpy(j->y, N_VGetArrayPointer(y), (size_t)j->n * sizeof(double));
    CVodeFree(&cvode);
    SUNNonlinSolFree(iteration);
    SUNLinSolFree(linear);
    SUNMatDestroy(matrix);
    N_VDestroy(y);
    N_VDestroy(atol);
    return bad;
}

static int read_job(struct job *j, void *fields)
{
    char method[16], name[64], symbol[80];
    if (scanf("%15s %63s %d %lf %lf %lf", method, name, &j->n, &j->t, &j->rtol, &j->seconds) != 6) return 0;
    if (j->n < 1 || j->n > MOST) return 0;
    for (int i = 0; i < j->n; i++)
        if (scanf("%lf", &j->y0[i]) != 1) return 0;
    for (int i = 0; i < j->n; i++)
        if (scanf("%lf", &j->atol[i]) != 1) return 0;
    snprintf(symbol, sizeof symbol, "tide_%s", name);
    j->stiff = strcmp(method, "bdf") == 0;
    j->f = dlsym(fields, symbol);
    return j->f != NULL;
}

int main(int argc, char **argv)
{
    static struct job j;
    SUNContext context;
    void *fields = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!fields || SUNContext_Create(NULL, &context)) return 1;
    while (read_job(&j, fields)) {
        double best = 1e300, begun = now();
        int bad = 0;
        do {
            double start = now(), spent;
            bad = solve(&j, context);
            spent = now() - start;
            best = spent < best ? spent : best;
        } while (!bad && now() - begun < j.seconds);
        if (bad) {
            printf("failed\n");
        } else {
            printf("%ld %ld %ld %ld %.6g", j.evaluations, j.jacobians, j.steps, j.rejected, best);
            for (int i = 0; i < j.n; i++) printf(" %.17g", j.y[i]);
            printf("\n");
        }
        fflush(stdout);
    }
    return SUNContext_Free(&context);
}
