/* Passes over activations that PyTorch makes one after the other, computed in float32 and rounded once. They are float32
   where `wide`, else bfloat16. */

#include <omp.h>
#include "numbers.h"

ALWAYS float get(const void *x, long i, long wide) { return wide ? ((const float *)x)[i] : from_narrow(((const uint16_t *)x)[i]); }

ALWAYS void put(void *x, long i, long wide, float value) {
    if (wide)
        ((float *)x)[i] = value;
    else
        ((uint16_t *)x)[i] = to_narrow(value);
}

/* gate becomes silu(gate) * up. */
void swiglu(void *restrict gate, const void *restrict up, long count, long wide) {
#pragma omp parallel if (count > MANY_NUMBERS)
    if (wide) {
#pragma omp for simd schedule(static)
        for (long i = 0; i < count; i++) put(gate, i, 1, silu(get(gate, i, 1)) * get(up, i, 1));
    } else {
#pragma omp for simd schedule(static)
        for (long i = 0; i < count; i++) put(gate, i, 0, silu(get(gate, i, 0)) * get(up, i, 0));
    }
}

/* Turns pairs (x[i], x[i + half]) of each of `heads` heads of a token; tokens of x are `step` apart. */
void rotate_heads(const void *restrict x, const float *restrict cosine, const float *restrict sine, void *restrict out,
                  long tokens, long heads, long half, long step, long wide) {
#pragma omp parallel for schedule(static) if (tokens * heads * half > MANY_NUMBERS)
    for (long t = 0; t < tokens; t++) {
        const float *c = cosine + t * half, *s = sine + t * half;
        for (long h = 0; h < heads; h++) {
            long from = t * step + h * 2 * half, to = (t * heads + h) * 2 * half;
#pragma omp simd
            for (long i = 0; i < half; i++) {
                float first = get(x, from + i, wide), second = get(x, from + half + i, wide);
                put(out, to + i, wide, first * c[i] - second * s[i]);
                put(out, to + half + i, wide, second * c[i] + first * s[i]);
            }
        }
    }
}

/* Slopes of silu(gate) * up: those of `out` are given, and become those of `up`; those of `gate` go to `slope`. */
void swiglu_slopes(uint16_t *restrict out, const uint16_t *restrict gate, const uint16_t *restrict up, uint16_t *restrict slope,
                   long count) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < count; i++) {
        float g = from_narrow(gate[i]), given = from_narrow(out[i]);
        g = g < -80 ? -80 : g > 80 ? 80 : g;
        float share = 1 / (1 + power_of_e(-g)), silu = g * share;
        slope[i] = to_narrow(given * from_narrow(up[i]) * (share + silu * (1 - share)));
        out[i] = to_narrow(given * silu);
    }
}

/* Each row of x divided by its root mean square and times `weight`; 1 / that goes to `scale`, if there is one. */
void rms_norm(const void *restrict x, const float *restrict weight, void *restrict out, float *restrict scale, long rows,
              long dim, long wide, long wide_out, double eps) {
#pragma omp parallel for schedule(static) if (rows * dim > MANY_NUMBERS)
    for (long r = 0; r < rows; r++) {
        float sum = 0, s;
        for (long i = r * dim; i < (r + 1) * dim; i++) sum += get(x, i, wide) * get(x, i, wide);
        s = 1 / sqrtf(sum / (float)dim + (float)eps);
        if (scale) scale[r] = s;
        for (long i = 0; i < dim; i++) put(out, r * dim + i, wide_out, get(x, r * dim + i, wide) * s * weight[i]);
    }
}

/* Slopes of `rms_norm`: of x in its own type, and of the weight, one sum for each thread. */
void rms_norm_slopes(const uint16_t *restrict given, const void *restrict x, const float *restrict weight,
                     const float *restrict scale, void *restrict slope, float *restrict weight_slope, long rows, long dim, long wide) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        const float *single = (const float *)x + r * dim;
        const uint16_t *half = (const uint16_t *)x + r * dim, *g = given + r * dim;
        float *own = weight_slope + omp_get_thread_num() * dim, s = scale[r], along = 0;
        for (long i = 0; i < dim; i++) {
            float v = wide ? single[i] : from_narrow(half[i]), gv = from_narrow(g[i]) * v;
            own[i] += gv * s;
            along += gv * weight[i];
        }
        along *= s * s / (float)dim;
        if (wide)
            for (long i = 0; i < dim; i++) ((float *)slope + r * dim)[i] = s * (from_narrow(g[i]) * weight[i] - single[i] * along);
        else
            for (long i = 0; i < dim; i++)
                ((uint16_t *)slope + r * dim)[i] = to_narrow(s * (from_narrow(g[i]) * weight[i] - from_narrow(half[i]) * along));
    }
}
