/* Passes over activations in bfloat16 that PyTorch makes one after the other, computed in float32 and rounded once. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS float widen(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

ALWAYS uint16_t narrow(float value) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* e to the power of x, to about 2e-7, for |x| below 87. */
ALWAYS float power_of_e(float x) {
    float scaled = x * 1.44269504f, whole = rintf(scaled), r = scaled - whole, p = 1.54035304e-4f;
    p = p * r + 1.33335581e-3f, p = p * r + 9.61812911e-3f, p = p * r + 5.55041087e-2f;
    p = p * r + 2.40226507e-1f, p = p * r + 6.93147181e-1f, p = p * r + 1;
    uint32_t bits = (uint32_t)((int32_t)whole + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* gate becomes silu(gate) * up. */
void swiglu(uint16_t *restrict gate, const uint16_t *restrict up, long count) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < count; i++) {
        float g = widen(gate[i]);
        g = g < -80 ? -80 : g; /* silu is less than 1e-32 there */
        gate[i] = narrow(g / (1 + power_of_e(g > 80 ? -80 : -g)) * widen(up[i]));
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
                float first = widen(from[i]), second = widen(from[half + i]);
                to[i] = narrow(first * c[i] - second * s[i]);
                to[half + i] = narrow(second * c[i] + first * s[i]);
            }
        }
    }
}

/* Slopes of silu(gate) * up: those of `out` are given, and become those of `up`; those of `gate` go to `slope`. */
void swiglu_slopes(uint16_t *restrict out, const uint16_t *restrict gate, const uint16_t *restrict up, uint16_t *restrict slope,
                   long count) {
#pragma omp parallel for simd schedule(static)
    for (long i = 0; i < count; i++) {
        float g = widen(gate[i]), given = widen(out[i]);
        g = g < -80 ? -80 : g > 80 ? 80 : g;
        float share = 1 / (1 + power_of_e(-g)), silu = g * share;
        slope[i] = narrow(given * widen(up[i]) * (share + silu * (1 - share)));
        out[i] = narrow(given * silu);
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
            for (long i = 0; i < dim; i++) sum += widen(half[i]) * widen(half[i]);
        scale[r] = s = 1 / sqrtf(sum / (float)dim + (float)eps);
        if (wide)
            for (long i = 0; i < dim; i++) to[i] = narrow(single[i] * s * weight[i]);
        else
            for (long i = 0; i < dim; i++) to[i] = narrow(widen(half[i]) * s * weight[i]);
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
            float v = wide ? single[i] : widen(half[i]), gv = widen(g[i]) * v;
            own[i] += gv * s;
            along += gv * weight[i];
        }
        along *= s * s / (float)dim;
        if (wide)
            for (long i = 0; i < dim; i++) ((float *)slope + r * dim)[i] = s * (widen(g[i]) * weight[i] - single[i] * along);
        else
            for (long i = 0; i < dim; i++)
                ((uint16_t *)slope + r * dim)[i] = narrow(s * (widen(g[i]) * weight[i] - widen(half[i]) * along));
    }
}
