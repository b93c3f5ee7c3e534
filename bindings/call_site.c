/* The instruction that waits for a call's result is found in what lua_dump writes of the calling function:
 * calls on the current line, told apart by the name of what they call and by the register that the result
 * goes to. */
#include "call_site.h"

#include <string.h>

#include "base/memory.h"
#include "binding.h"

/* ---- Lua 5.4's instructions: opcode 7 bits, A 8, k 1, B 8, C 8 ---- */

enum {
    GETTABUP = 11,
    GETFIELD = 14,
    SELF = 20, /* loads with a constant as the key, in C */
    NOT = 51,
    FIRST_JUMP = 54,
    TEST = 66,
    TESTSET = 67,
    CALL = 68,
    TAILCALL = 69,
    RETURN = 70,
    RETURN1 = 72,
    VARARG = 80
};
static const unsigned char nameless_loads[] = {0 /* MOVE */, 9 /* GETUPVAL */, 12 /* GETTABLE */,
                                               13 /* GETI */, CALL};

static int opcode(uint32_t i) { return (int)(i & 0x7f); }
static int arg_a(uint32_t i) { return (int)(i >> 7 & 0xff); }
static int arg_k(uint32_t i) { return (int)(i >> 15 & 1); }
static int arg_b(uint32_t i) { return (int)(i >> 16 & 0xff); }
static int arg_c(uint32_t i) { return (int)(i >> 24 & 0xff); }

/* ---- reading a dump; whatever does not fit sets `failed`, and nothing is proven then ---- */

struct reader {
    const unsigned char *p, *end;
    int failed;
};

static const unsigned char *take(struct reader *r, size_t n)
{
    const unsigned char *p = r->p;
    if (r->failed || (size_t)(r->end - r->p) < n) {
        r->failed = 1;
        return NULL;
    }
    r->p += n;
    return p;
}

static int take_byte(struct reader *r)
{
    const unsigned char *p = take(r, 1);
    return p ? *p : 0;
}

static size_t
take_size(struct reader *r) /* seven bits per byte, the largest first; the last byte has its top bit set */
{
    size_t n = 0;
    for (int i = 0; i < 10 && !r->failed; i++) {
        int b = take_byte(r);
        n = n << 7 | (size_t)(b & 0x7f);
        if (b & 0x80) return n;
    }
    r->failed = 1;
    return 0;
}

static const unsigned char *take_string(struct reader *r, size_t *n)
{
    size_t size = take_size(r);
    *n = size > 0 ? size - 1 : 0;
    return take(r, *n);
}

static void check_header(struct reader *r)
{
    static const char head[] = "\x1bLua\x54\0\x19\x93\r\n\x1a\n\4\10\10";
    const unsigned char *p = take(r, sizeof head - 1);
    if (p && memcmp(p, head, sizeof head - 1) != 0) r->failed = 1;
    take(r, 8 + 8 + 1); /* an integer, a float, the number of upvalues */
}

struct constant {
    const unsigned char *text; /* NULL: no string */
    size_t length;
};

/* A function's parts; `constants` may be NULL, when only the end is sought. */
struct function {
    size_t defined, n_code, n_lines;
    const unsigned char *code, *lines;
    struct reader absolute; /* pairs of instruction and line */
    struct reader locals;   /* name, first instruction, first one after its life */
    size_t n_locals;
    struct constant constants[256]; /* those that fit an operand */
};

static void take_constant(struct reader *r, struct constant *out)
{
    enum { NIL = 0, NO = 1, YES = 17, INTEGER = 3, FLOAT = 19, SHORT_STRING = 4, LONG_STRING = 20 };
    int type = take_byte(r);
    *out = (struct constant){NULL, 0};
    if (type == SHORT_STRING || type == LONG_STRING)
        out->text = take_string(r, &out->length);
    else if (type == INTEGER || type == FLOAT)
        take(r, 8);
    else if (type != NIL && type != NO && type != YES)
        r->failed = 1;
}

static void take_function(struct reader *r, struct function *f, int depth)
{
    size_t ignored, n;
    struct constant unused;
    take_string(r, &ignored);
    size_t defined = take_size(r);
    take_size(r);
    take(r, 3);
    n = take_size(r);
    const unsigned char *code = n <= (size_t)(r->end - r->p) / 4 ? take(r, 4 * n) : take(r, (size_t)-1);
    if (f) *f = (struct function){.defined = defined, .n_code = n, .code = code};
    n = take_size(r);
    for (size_t i = 0; i < n && !r->failed; i++) take_constant(r, f && i < 256 ? &f->constants[i] : &unused);
    take(r, 3 * take_size(r)); /* upvalues */
    n = take_size(r);
    if (depth > MAX_NESTING) r->failed = 1;
    for (size_t i = 0; i < n && !r->failed; i++) take_function(r, NULL, depth + 1);
    n = take_size(r);
    const unsigned char *lines = take(r, n);
    size_t n_absolute = take_size(r);
    struct reader absolute = *r;
    for (size_t i = 0; i < 2 * n_absolute && !r->failed; i++) take_size(r);
    if (f) f->n_lines = n, f->lines = lines, f->absolute = absolute;
    n = take_size(r);
    if (f) f->locals = *r, f->n_locals = n;
    for (size_t i = 0; i < n && !r->failed; i++) {
        take_string(r, &ignored);
        take_size(r);
        take_size(r);
    }
    n = take_size(r); /* names of upvalues */
    for (size_t i = 0; i < n && !r->failed; i++) take_string(r, &ignored);
}

/* ---- what waits for the result ---- */

static uint32_t instruction(const struct function *f, size_t pc)
{
    uint32_t i;
    memcpy(&i, f->code + 4 * pc, sizeof i);
    return i;
}

/* Can the call at pc, whose function lies in register a, be one of something called `name`? */
static int may_have_name(const struct function *f, size_t pc, int a, const char *name)
{
    if (!name) return 1;
    while (pc-- > 0) {
        uint32_t i = instruction(f, pc);
        if (arg_a(i) != a) continue;
        int op = opcode(i);
        if (op == GETTABUP || op == GETFIELD || (op == SELF && arg_k(i))) {
            const struct constant *k = &f->constants[arg_c(i)];
            return !k->text || (k->length == strlen(name) && memcmp(k->text, name, k->length) == 0);
        }
        if (op == SELF || memchr(nameless_loads, op, sizeof nameless_loads)) return 1;
    }
    return 1;
}

/* Does the register belong to a local variable at pc? Variables have the lowest registers, in order. */
static int is_variable(const struct function *f, size_t pc, int reg)
{
    struct reader r = f->locals;
    size_t ignored;
    int active = 0;
    for (size_t i = 0; i < f->n_locals; i++) {
        take_string(&r, &ignored);
        size_t first = take_size(&r), end = take_size(&r);
        active += first <= pc && pc < end;
    }
    return reg < active;
}

/* Is the value that register a holds from pc on the first argument of a call, whatever stands behind it in
 * straight code? */
static int is_first_argument(const struct function *f, size_t pc, int a)
{
    for (; pc < f->n_code; pc++) {
        uint32_t i = instruction(f, pc);
        int op = opcode(i);
        if ((op == CALL || op == TAILCALL) && arg_a(i) == a - 1) return 1;
        if (op >= FIRST_JUMP && op != CALL && op != VARARG) return 0;
        if (arg_a(i) <= a) return 0;
    }
    return 0;
}

static enum verdict consumer(const struct function *f, size_t pc)
{
    uint32_t call = instruction(f, pc), next = pc + 1 < f->n_code ? instruction(f, pc + 1) : 0;
    int a = arg_a(call), op = opcode(next);
    if (opcode(call) == TAILCALL) return RETURNED;
    if (is_variable(f, pc + 1, a))
        return UNKNOWN; /* local b = x:gt(0), then if b: b is what it says elsewhere */
    if ((op == TEST && arg_a(next) == a) || (op == TESTSET && arg_b(next) == a) ||
        (op == NOT && arg_b(next) == a))
        return CONDITION;
    if (is_first_argument(f, pc + 1, a)) return ASSERTED;
    if ((op == RETURN1 && arg_a(next) == a) || (op == RETURN && arg_a(next) == a && arg_b(next) == 2))
        return RETURNED;
    return UNKNOWN;
}

/* What is tested and what is asserted agree in assert(a:all() and b:all()), where the caller asks whether the
 * function is assert. */
static enum verdict agreed(enum verdict a, enum verdict b)
{
    if (a == b) return a;
    return (a == CONDITION && b == ASSERTED) || (a == ASSERTED && b == CONDITION) ? ASSERTED : AMBIGUOUS;
}

/* All calls that can be the one at the site must agree. */
static enum verdict judge(const struct function *f, const struct call_site *s)
{
    int found = 0;
    enum verdict verdict = UNKNOWN;
    long line = (long)f->defined;
    struct reader absolute = f->absolute;
    if (f->n_lines != f->n_code) return UNKNOWN;
    for (size_t pc = 0; pc < f->n_code; pc++) {
        signed char step = (signed char)f->lines[pc];
        if (step == -128) {
            take_size(&absolute);
            line = (long)take_size(&absolute);
        } else {
            line += step;
        }
        uint32_t i = instruction(f, pc);
        if (line != s->line || (opcode(i) != CALL && opcode(i) != TAILCALL) ||
            (s->reg >= 0 && arg_a(i) != s->reg))
            continue;
        if (!may_have_name(f, pc, arg_a(i), s->name)) continue;
        enum verdict one = consumer(f, pc);
        verdict = found++ ? agreed(verdict, one) : one;
        if (verdict == AMBIGUOUS) return verdict;
    }
    return verdict;
}

struct dump {
    unsigned char *bytes;
    size_t n, size;
};

static int append(lua_State *L, const void *bytes, size_t n, void *context)
{
    struct dump *d = context;
    (void)L;
    if (d->size - d->n < n) {
        size_t size = 2 * d->size + n + 4096;
        unsigned char *more = memory_alloc(size);
        if (!more) return 1;
        if (d->n > 0) memcpy(more, d->bytes, d->n);
        memory_free(d->bytes);
        d->bytes = more;
        d->size = size;
    }
    memcpy(d->bytes + d->n, bytes, n);
    d->n += n;
    return 0;
}

enum verdict call_site_judge(lua_State *L, const struct call_site *s)
{
    struct dump d = {NULL, 0, 0};
    struct function f;
    enum verdict verdict = UNKNOWN;
    if (lua_dump(L, append, &d, 0) == 0) {
        struct reader r = {d.bytes, d.bytes + d.n, 0};
        check_header(&r);
        take_function(&r, &f, 0);
        if (!r.failed && r.p == r.end) verdict = judge(&f, s);
    }
    memory_free(d.bytes);
    return verdict;
}
