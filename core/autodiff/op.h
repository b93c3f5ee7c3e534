/* op.h -- THE op table: everything that can happen to tensors, one row each.
 *
 * An op has a shape rule (infer), a kernel (prepare chooses it once, run executes it), and a derivative rule
 * (vjp) that emits ops onto a tape; it does not compute. One derivative rule is enough: vjp(tape) is a tape
 * again, and the Jacobian-vector product is the transpose of vjp, which is linear in the cotangent. Every op
 * has exactly one output. */
#ifndef AUTODIFF_OP_H
#define AUTODIFF_OP_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"
#include "tensor/tensor.h"

/* A counted object that a node may carry (a solve, a generator of random numbers). */
struct object {
    int refs;
    void (*free)(struct object *self);
};
struct object *object_retain(struct object *o); /* NULL is fine for both */
void object_release(struct object *o);

/* A generator that RANDOM draws from at each run. */
struct generator {
    struct object base;
    struct rng rng;
};
enum random_kind { RANDOM_UNIFORM, RANDOM_NORMAL, RANDOM_PERMUTATION, RANDOM_INTEGER };

#define MAX_ATTRS 24

/* Of LAYER and CONV_LAYER, behind the attributes of the op that they began as: that op, is there a bias, the
 * elementwise op that ends it (0: none), is the product that op's second operand. */
#define LAYER_ATTRS 10
enum { LAYER_BASE, LAYER_BIAS, LAYER_POST, LAYER_SECOND };

/* Static arguments of a node: axes, sizes, a number, an object. Their meaning is in the comment of the op's
 * row in ops.def. */
struct attrs {
    int n;
    int64_t v[MAX_ATTRS];
    double value;
    struct object *object; /* borrowed in a call, owned by a node */
};

struct op;

/* One application of an op to arrays. */
struct call {
    const struct op *op;
    const struct attrs *attrs;
    int n_in;
    struct array *in;
    struct array out;
    enum status (*run)(struct call *c); /* set by prepare */
    void *plan;                         /* set by prepare: one memory_alloc block or NULL */
    size_t scratch_bytes;               /* set by prepare: what run needs in `scratch` */
    void *scratch;
};

/* Context of a derivative rule; see vjp.h. */
struct vjp;
/* A batch on its way through an op; see op_rules.h. */
struct cut;

enum op_flags {
    OP_DENSE = 1,      /* inputs must be dense row-major; callers copy where they are not */
    OP_IN_PLACE = 2,   /* out may be the memory of an input that has out's dtype and shape */
    OP_PROMOTE = 4,    /* inputs are brought to one dtype first */
    OP_FLOAT = 8,      /* integer inputs become floats first */
    OP_CONDITION = 16, /* the first input is a condition: uint8, and the two above leave it alone */
    OP_FRESH = 32,     /* each node is a run of its own: two that look the same are not common */
    OP_DEAR = 64,      /* a product, whose work decides what is worth keeping and how large tiles are */
    OP_STATEFUL = 128, /* has a state of its own: runs where it was recorded, and on one thread */
    OP_INTERNAL = 256, /* made by the engine alone: nobody asks for it by name */
    OP_DIVIDES = 512,  /* an integer second operand of 0 is an error */
    OP_ALIKE = 1024,   /* of those that compute: a sample of a batch comes out with the same bits however many
                          there are, where `cut` says so; as it does of what is elementwise or moves data */
    OP_LINALG = OP_DENSE | OP_PROMOTE | OP_FLOAT,
};

/* What an elementwise op's kernel takes; see `kernel`. */
enum elementwise {
    NOT_ELEMENTWISE,
    ELEMENTWISE_UNARY,
    ELEMENTWISE_PREDICATE,
    ELEMENTWISE_BINARY,
    ELEMENTWISE_COMPARE
};

/* Which inputs of an op have the axis of a batch, when one does (batch.h). */
enum op_batch {
    BATCH_IN_FIRST, /* the first one; the others are the same for every sample */
    BATCH_IN_ANY,   /* those that have all axes of the result; the others are broadcast along it */
    BATCH_IN_ALL,   /* each */
};

#define OP(NAME, ...) OP_##NAME,
#define UNARY(NAME, name, dtypes, expression) OP_##NAME,
#define BINARY(NAME, name, dtypes, expression) OP_##NAME,
#define PREDICATE(NAME, name, expression) OP_##NAME,
#define COMPARE(NAME, name, expression) OP_##NAME,
enum op_id {
#include "autodiff/ops.def"
#include "kernels/elementwise.def"
    OP_COUNT
};
#undef OP
#undef UNARY
#undef BINARY
#undef PREDICATE
#undef COMPARE

/* A row: what is not named is 0 or NULL. */
struct op {
    const char *name;
    int min_in, max_in;
    unsigned flags;
    enum elementwise elementwise;
    int kernel; /* of an elementwise op: place in loops->unary, or loops->binary for the last two */
    enum status (*infer)(struct call *c); /* in[] shapes and dtypes, attrs -> out's; row-major strides */
    /* NULL, or: set out's strides and the offset in bytes from in[0]; 0 = cannot */
    int (*view)(struct call *c, int64_t *offset);
    enum status (*prepare)(struct call *c);
    void (*vjp)(struct vjp *v); /* NULL: not differentiable, the cotangent stops here */
    /* Can a batch be cut to fewer samples? Changes the attributes as that needs. NULL: it cannot. */
    int (*cut)(const struct cut *c);
    enum op_batch batch;
    /* Floating-point operations, a multiply-add is two; of the shapes of out and the first two inputs. NULL:
     * it only moves data. */
    int64_t (*work)(const struct call *c);
    enum op_id layer; /* what a product becomes together with what follows it (passes.h, fuse); 0: nothing */
};

extern const struct op op_table[OP_COUNT];

/* Floating-point operations of a call, 0 for what only moves data. */
int64_t op_work(const struct call *c);

/* Name of the way that a prepared call is computed, "winograd" for instance; NULL for ops with one way. */
const char *op_way(const struct call *c);

/* Apply an op at once. in[] are borrowed; *out is a new reference (possibly a view of in[0]). */
enum status op_apply(enum op_id id, const struct attrs *attrs, struct tensor *const *in, int n_in,
                     struct tensor **out);

/* An op that is supplied from above: a whole ODE solve, for instance. It is the attrs.object of OP_CUSTOM. */
struct custom {
    struct object base;
    const char *name;
    enum status (*infer)(struct custom *self, struct call *c);
    enum status (*prepare)(struct custom *self, struct call *c);
    void (*vjp)(struct custom *self, struct vjp *v);
    /* Has it derivatives: vjps, or (directional) products with a direction as tape_jvp makes them? NULL:
     * both. */
    int (*differentiable)(const struct custom *self, int directional);
};

#endif
