/* Recurrent cells of one type, for loops.c; see paste.h, and ops_recurrent.c for the formulas. The rows of a
 * matrix lie one behind the other. */
#define SIGMOID(x) (((x) < 0 ? MATH(exp)(-MATH(fabs)(x)) : 1) / (1 + MATH(exp)(-MATH(fabs)(x))))

static void TYPED(gru_cell)(int64_t rows, int64_t n, const void *const in[], void *outv)
{
    const T *gx = in[0], *gh = in[1], *h = in[2];
    T *out = outv;
    for (int64_t row = 0; row < rows; row++, gx += 3 * n, gh += 3 * n, h += n, out += 4 * n) {
        INDEPENDENT for (int64_t i = 0; i < 2 * n; i++)
        {
            T x = gx[i] + gh[i];
            out[n + i] = SIGMOID(x);
        }
        INDEPENDENT for (int64_t i = 0; i < n; i++)
        {
            T s = MATH(tanh)(gx[2 * n + i] + out[n + i] * gh[2 * n + i]);
            out[3 * n + i] = s;
            out[i] = s + out[2 * n + i] * (h[i] - s);
        }
    }
}

static void TYPED(gru_cell_grad)(int64_t rows, int64_t n, const void *const in[], void *outv)
{
    const T *y = in[0], *gh = in[1], *h = in[2], *hbar = in[3];
    T *out = outv;
    for (int64_t row = 0; row < rows; row++, y += 4 * n, gh += 3 * n, h += n, hbar += n, out += 7 * n)
        INDEPENDENT for (int64_t i = 0; i < n; i++)
        {
            T r = y[n + i], z = y[2 * n + i], s = y[3 * n + i], bar = hbar[i];
            T ds = bar * (1 - z) * (1 - s * s), dz = bar * (h[i] - s) * z * (1 - z),
              dr = ds * gh[2 * n + i] * r * (1 - r);
            out[i] = out[3 * n + i] = dr;
            out[n + i] = out[4 * n + i] = dz;
            out[2 * n + i] = ds;
            out[5 * n + i] = ds * r;
            out[6 * n + i] = bar * z;
        }
}

static void TYPED(lstm_cell)(int64_t rows, int64_t n, const void *const in[], void *outv)
{
    const T *gx = in[0], *gh = in[1], *c = in[2];
    T *out = outv;
    for (int64_t row = 0; row < rows; row++, gx += 4 * n, gh += 4 * n, c += n, out += 7 * n) {
        T *gate = out + 2 * n;
        INDEPENDENT for (int64_t i = 0; i < 4 * n; i++)
        {
            T x = gx[i] + gh[i];
            gate[i] = SIGMOID(x);
        }
        INDEPENDENT for (int64_t i = 2 * n; i < 3 * n; i++) gate[i] = MATH(tanh)(gx[i] + gh[i]);
        INDEPENDENT for (int64_t i = 0; i < n; i++)
        {
            T next = gate[n + i] * c[i] + gate[i] * gate[2 * n + i], t = MATH(tanh)(next);
            out[i] = gate[3 * n + i] * t;
            out[n + i] = next;
            out[6 * n + i] = t;
        }
    }
}

static void TYPED(lstm_cell_grad)(int64_t rows, int64_t n, const void *const in[], void *outv)
{
    const T *y = in[0], *c = in[1], *bars = in[2];
    T *out = outv;
    for (int64_t row = 0; row < rows; row++, y += 7 * n, c += n, bars += 2 * n, out += 5 * n)
        INDEPENDENT for (int64_t k = 0; k < n; k++)
        {
            T i = y[2 * n + k], f = y[3 * n + k], g = y[4 * n + k], o = y[5 * n + k], t = y[6 * n + k];
            T hbar = bars[k], cbar = bars[n + k] + hbar * o * (1 - t * t);
            out[k] = cbar * g * i * (1 - i);
            out[n + k] = cbar * c[k] * f * (1 - f);
            out[2 * n + k] = cbar * i * (1 - g * g);
            out[3 * n + k] = hbar * t * o * (1 - o);
            out[4 * n + k] = cbar * f;
        }
}

#undef SIGMOID
#undef T
#undef SUFFIX
#undef MATH
