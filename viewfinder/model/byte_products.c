/* What stands around a product of bytes with bytes: the input is rounded before it, the sums are scaled after it.

   x is float32 with `wide`, else bfloat16. One scale a row of x, and one a row of the weight. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define CHUNK 512
#define ALWAYS static inline __attribute__((always_inline))

/* `count` values of x from `at` on, at most CHUNK. */
ALWAYS void load(const void *x, long at, long count, long wide, float *restrict out) {
    if (wide) {
        memcpy(out, (const float *)x + at, count * sizeof(float));
        return;
    }
    for (long i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)((const uint16_t *)x)[at + i] << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

ALWAYS long shorter(long left) { return left < CHUNK ? left : CHUNK; }

/* The largest absolute value of each column. */
void column_extremes(const void *restrict x, float *restrict out, long rows, long columns, long wide) {
#pragma omp parallel for schedule(static)
    for (long c = 0; c < columns; c += CHUNK) {
        float block[CHUNK], largest[CHUNK] = {0};
        long count = shorter(columns - c);
        for (long r = 0; r < rows; r++) {
            load(x, r * columns + c, count, wide, block);
            for (long i = 0; i < count; i++) largest[i] = fmaxf(largest[i], fabsf(block[i]));
        }
        memcpy(out + c, largest, count * sizeof(float));
    }
}

/* Rows of x times `keep` (1 or 0 for each column) as signed bytes, padded with zeros to `padded`: the largest of a row
   becomes 127 or -127, and `scales` has what one is worth. */
void round_inputs(const void *restrict x, const float *restrict keep, int8_t *restrict out, float *restrict scales, long rows,
                  long columns, long padded, long wide) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        float block[CHUNK], largest = 0;
        for (long c = 0; c < columns; c += CHUNK) {
            long count = shorter(columns - c);
            load(x, r * columns + c, count, wide, block);
            for (long i = 0; i < count; i++) largest = fmaxf(largest, fabsf(block[i] * keep[c + i]));
        }
        float inverse = largest > 0 ? 127 / largest : 0;
        for (long c = 0; c < columns; c += CHUNK) {
            long count = shorter(columns - c);
            load(x, r * columns + c, count, wide, block);
            for (long i = 0; i < count; i++) out[r * padded + c + i] = (int8_t)rintf(block[i] * keep[c + i] * inverse);
        }
        memset(out + r * padded + columns, 0, padded - columns);
        scales[r] = largest / 127;
    }
}

/* out = (sums * x_scales[row] + apart) * scales[column] + bias[column], as wide as x, bfloat16 rounded to nearest even.
   `out` may be `apart`; `bias` may be NULL. */
void scale_sums(const int32_t *restrict sums, const float *restrict x_scales, const float *restrict scales,
                const float *restrict bias, const void *apart, void *out, long rows, long columns, long wide) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < rows; r++) {
        float block[CHUNK];
        for (long c = 0; c < columns; c += CHUNK) {
            long count = shorter(columns - c), at = r * columns + c;
            load(apart, at, count, wide, block);
            for (long i = 0; i < count; i++)
                block[i] = ((float)sums[at + i] * x_scales[r] + block[i]) * scales[c + i] + (bias ? bias[c + i] : 0);
            if (wide) memcpy((float *)out + at, block, count * sizeof(float));
            for (long i = 0; i < count && !wide; i++) {
                uint32_t bits;
                memcpy(&bits, &block[i], sizeof bits);
                ((uint16_t *)out)[at + i] = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
            }
        }
    }
}
