/* event.h -- zeros of functions g(t, y) along a solve, and what happens there.
 *
 * An observer that comes before the others. It looks at each g at points inside of a step, by the step's
 * interpolant, and at more of them where a polynomial through these cannot exclude another zero: two zeros
 * that lie further apart than EVENT_RESOLUTION of the step are both found. Each is then enclosed until t
 * resolves no more; the event is at the far end of that, where g has its new sign. What counts is a change of
 * sign: a g that is 0 where the solve begins, or behind a change of the state, has no sign until it leaves 0.
 *
 * A zero that ends the solve or changes the state cuts the step; what lies behind it is looked for anew. */
#ifndef SOLVER_EVENT_H
#define SOLVER_EVENT_H

#include "autodiff/field.h"
#include "solver/observer.h"
#include "solver/step.h"

#define EVENT_NAME 32
#define EVENT_POINTS 128 /* of a step at most: 9, those close behind its beginning, and 64 that are added */

/* What an event does to the state. */
struct event_change {
    struct field *apply; /* (t, y) -> y behind the event; owned; NULL: it changes nothing */
    char *theta;         /* in a gradient, as that of the fields' own parameters (see field.h) */
};

/* One g. Which changes of its sign count: along the solve upwards (1), downwards (-1), both (0). */
struct event_rule {
    int direction;
    int64_t terminal;              /* the solve ends at the one of this number; 0: never */
    struct event_change change[2]; /* [1]: of the one that ends it, in place of [0] unless it has no field */
    char name[EVENT_NAME];
};

/* One that happened. */
struct event {
    double t, theta; /* theta: of the step, an accepted one, counted from 0 */
    double rounding; /* an output no further before t is at the event, and so behind it (clock_rounding) */
    int64_t step;
    int rule, direction;
    int cuts; /* the step ends here, */
    int ends; /* and so does the solve */
};

struct event_hit {
    double theta, noise; /* noise: |g| at the ends of what encloses the zero */
    int rule, direction;
};

/* What is known of one g while the solve goes on. */
struct event_track {
    int sign;     /* the last that was not 0; 0: none since the beginning or a change of the state */
    double noise; /* while there is no sign: as much is taken for 0 */
    double last;  /* when it changed the state last; NAN: never */
    int64_t counted;
};

struct march;
struct events {
    struct observer base;
    int n;
    struct event_rule *rules;
    struct field *g;         /* (t, y) -> n numbers of float64; owned */
    int64_t count, capacity; /* events of the latest solve */
    struct event *log;
    char *states; /* y at each of them, before apply */
    int64_t n_state;
    enum dtype dtype;
    size_t bytes, states_bytes; /* of a state; room of `states` */
    /* the step at hand */
    struct event_track *track, *before; /* before: at the beginning of the step */
    struct event_hit *hits;
    double t;      /* where the step before ended; NAN: it is the first one, or the state was changed */
    double *start; /* g there */
    int points, rows;
    double theta[EVENT_POINTS];
    int row[EVENT_POINTS];
    double *values; /* EVENT_POINTS rows */
    char *y[3];     /* at a point; behind changes */
    int ended;      /* by one of them */
    size_t theta_bytes;
    char *g_theta, *part, *theta_block; /* g_theta: as theta of a rule; part: of one evaluation */
    char *block;
};

/* What event does to the state. */
const struct event_change *event_change(const struct events *e, const struct event *event);
/* Number i of the changes of all rules, i < 2 e->n. */
struct event_change *events_change(const struct events *e, int i);
/* n rules, to be filled in; events_free also frees their fields and g. */
enum status events_new(struct events **out, int n);
void events_free(struct events *e);
/* The same for `rows` of the samples that its fields are of; *out is NULL where they cannot be cut. */
enum status events_cut(const struct events *e, int64_t rows, struct events **out);
/* As field_prepare and field_bind, of all its fields; those that were cut are then at sample `first`. */
enum status events_prepare(struct events *e, unsigned works);
enum status events_bind(struct events *e, const void *const *parameters, int64_t first);
/* Around a gradient: its sums are zero; they are added to thetabar, of n bytes, which are those of the
 * parameters bound. scratch: as many. */
void events_gradient_begin(struct events *e);
enum status events_gradient_end(struct events *e, void *thetabar, size_t bytes, void *scratch);
/* What happened in a solve, set aside while e watches another; zero-initialise, free. */
struct event_log {
    int64_t count, capacity;
    struct event *log;
    char *states;
    size_t states_bytes;
    int ended;
};
/* They change places. */
void events_swap(struct events *e, struct event_log *log);
void event_log_free(struct event_log *log);
/* For a solve that begins. */
struct solver;
enum status events_begin(struct events *e, const struct solver *s);
/* Its memory, and all that a gradient needs of it that may come from another one's log. */
enum status events_reserve(struct events *e, const struct solver *s);

#endif
