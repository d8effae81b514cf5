/* Passes over activations in bfloat16 that PyTorch makes one after the other, computed in float32 and rounded once. */

#include <omp.h>
#include "numbers.h"

/* gate becomes silu(gate) * up. */
void swiglu(uint16_t *restrict gate, const uint16_t *restrict up, long count) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < count; i++) {
        gate[i] = to_narrow(silu(from_narrow(gate[i])) * from_narrow(up[i]));
    }
}

/* Turns pairs (x[i], x[i + half]) of each of `heads` heads of a token; tokens of x are `step` apart. */
void rotate_heads(const uint16_t *restrict x, const float *restrict cosine, const float *restrict sine, uint16_t *restrict out,
                  long tokens, long heads, long half, long step) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < tokens; t++) {
        const float *c = cosine + t * half, *s = sine + t * half;
        for (long h = 0; h < heads; h++) {
            const uint16_t *from = x + t * step + h * 2 * half;
            uint16_t *to = out + (t * heads + h) * 2 * half;
            for (long i = 0; i < half; i++) {
                float first = from_narrow(from[i]), second = from_narrow(from[half + i]);
                to[i] = to_narrow(first * c[i] - second * s[i]);
                to[half + i] = to_narrow(second * c[i] + first * s[i]);
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

/* Each row of x divided by its root mean square (1 / that goes to `scale`) and times `weight`. x is float32 where `wide`. */
void rms_norm(const void *restrict x, const float *restrict weight, uint16_t *restrict out, float *restrict scale, long rows,
              long dim, long wide, double eps) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        const float *single = (const float *)x + r * dim;
        const uint16_t *half = (const uint16_t *)x + r * dim;
        uint16_t *to = out + r * dim;
        float sum = 0, s;
        if (wide)
            for (long i = 0; i < dim; i++) sum += single[i] * single[i];
        else
            for (long i = 0; i < dim; i++) sum += from_narrow(half[i]) * from_narrow(half[i]);
        scale[r] = s = 1 / sqrtf(sum / (float)dim + (float)eps);
        if (wide)
            for (long i = 0; i < dim; i++) to[i] = to_narrow(single[i] * s * weight[i]);
        else
            for (long i = 0; i < dim; i++) to[i] = to_narrow(from_narrow(half[i]) * s * weight[i]);
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
