/* Passes over activations in bfloat16 that PyTorch makes one after the other, computed in float32 and rounded once. */

#include <math.h>
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
