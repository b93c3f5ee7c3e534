/* Included by optim_rules.c once per dtype: T, TYPED(name), ROOT. */

/* Adam whose second moment never shrinks: slots m, v and the largest v (Reddi et al. 2018) */
static void TYPED(amsgrad)(const struct optim_group *u, const struct adam_step *s)
{
    T *restrict p = u->p, *restrict m = u->slot[0], *restrict v = u->slot[1], *restrict top = u->slot[2];
    const T *restrict g = u->g;
    T b1 = (T)s->beta1, b2 = (T)s->beta2, d1 = (T)(1 - s->beta1), d2 = (T)(1 - s->beta2);
    T keep = (T)(1 - s->lr * s->decoupled_decay), rate = (T)(s->lr / s->correction1);
    T root = (T)(1 / sqrt(s->correction2)), eps = (T)s->eps, decay = (T)s->weight_decay;
    for (int64_t i = 0; i < u->n; i++) {
        T gi = g[i] + decay * p[i];
        m[i] = b1 * m[i] + d1 * gi;
        v[i] = b2 * v[i] + d2 * gi * gi;
        top[i] = v[i] > top[i] ? v[i] : top[i];
        p[i] = keep * p[i] - rate * m[i] / (ROOT(top[i]) * root + eps);
    }
}

/* square = alpha square + (1 - alpha) g^2, step = g / (sqrt(square) + eps), p -= lr step. Centered: square
 * less the mean's square; with momentum: buffer = momentum buffer + step, p -= lr buffer */
static void TYPED(rmsprop)(const struct optim_group *u, const struct rmsprop_step *o)
{
    T *restrict p = u->p, *restrict s = u->slot[0], *restrict mean = u->slot[1],
                *restrict buffer = u->slot[2];
    const T *restrict g = u->g;
    T alpha = (T)o->alpha, rest = (T)(1 - o->alpha), eps = (T)o->eps, lr = (T)o->lr, decay = (T)o->decay;
    for (int64_t i = 0; i < u->n; i++) {
        T gi = g[i] + decay * p[i], square;
        square = s[i] = alpha * s[i] + rest * gi * gi;
        if (mean) {
            mean[i] = alpha * mean[i] + rest * gi;
            square -= mean[i] * mean[i];
        }
        T root = ROOT(square > 0 ? square : 0) + eps;
        if (buffer) {
            buffer[i] = (T)o->momentum * buffer[i] + gi / root;
            p[i] -= lr * buffer[i];
        } else {
            p[i] -= lr * gi / root;
        }
    }
}

/* sum += g^2, p -= lr g / (sqrt(sum) + eps) (Duchi, Hazan, Singer 2011) */
static void TYPED(adagrad)(const struct optim_group *u, const struct ada_step *o)
{
    T *restrict p = u->p, *restrict sum = u->slot[0];
    const T *restrict g = u->g;
    T lr = (T)o->lr, eps = (T)o->eps, decay = (T)o->decay;
    for (int64_t i = 0; i < u->n; i++) {
        T gi = g[i] + decay * p[i];
        sum[i] += gi * gi;
        p[i] -= lr * gi / (ROOT(sum[i]) + eps);
    }
}

/* delta = sqrt(moved + eps) / sqrt(square + eps) g, square and moved the running means of g^2 and delta^2
 * (Zeiler 2012) */
static void TYPED(adadelta)(const struct optim_group *u, const struct ada_step *o)
{
    T *restrict p = u->p, *restrict square = u->slot[0], *restrict moved = u->slot[1];
    const T *restrict g = u->g;
    T lr = (T)o->lr, rho = (T)o->rho, rest = (T)(1 - o->rho), eps = (T)o->eps, decay = (T)o->decay;
    for (int64_t i = 0; i < u->n; i++) {
        T gi = g[i] + decay * p[i];
        square[i] = rho * square[i] + rest * gi * gi;
        T delta = ROOT(moved[i] + eps) / ROOT(square[i] + eps) * gi;
        moved[i] = rho * moved[i] + rest * delta * delta;
        p[i] -= lr * delta;
    }
}

#undef T
#undef TYPED
#undef ROOT
