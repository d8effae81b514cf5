/* A quantised matrix: made from floats, and made floats again. `few_rows.c` multiplies it. */

#include <math.h>
#include "few_rows.h"

/* Rows `first` to `first + count` as bfloat16 (rounded to nearest even) or, with `wide`, as float32. */
void quantized_widen(const Matrix *m, void *restrict out, long first, long count, long wide) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < count; r++) {
        float values[CHUNK];
        for (long c = 0; c < m->columns; c += CHUNK) {
            float *to = wide ? (float *)out + r * m->columns + c : values;
            widen_chunk(m, first + r, c, to);
            if (wide) continue;
            uint16_t *narrow = (uint16_t *)out + r * m->columns + c;
            for (long i = 0; i < CHUNK; i++) narrow[i] = to_narrow(values[i]);
        }
    }
}

ALWAYS uint16_t to_half(float value) {
    uint32_t bits;
    float small = fabsf(value) * 0x1p-112f;
    memcpy(&bits, &small, sizeof bits);
    return (uint16_t)((bits + 0xfff + (bits >> 13 & 1)) >> 13 | (value < 0 ? 0x8000 : 0));
}

/* Round `inputs` weights of each row (float32 with `wide`, else bfloat16) to the nearest; m's numbers and scales are
   written. Eight bits: the largest of a row becomes 127 or -127. Four bits: the largest of a group, with its sign, is the
   lowest number, -8. */
void quantized_round(const Matrix *m, const void *restrict weight, long inputs, long wide) {
    uint8_t *numbers = (uint8_t *)m->w;
    uint16_t *scales = (uint16_t *)m->scales;
    long groups = m->columns / m->group;
#pragma omp parallel for schedule(static)
    for (long r = 0; r < m->rows; r++) {
        float values[CHUNK], scale = 0, largest = 0;
        for (long pass = m->bits == 8 ? 0 : 1; pass < 2; pass++) { /* eight bits: the row's largest comes first */
            for (long c = 0; c < m->columns; c += CHUNK) {
                long length = inputs - c < CHUNK ? inputs - c : CHUNK, at = r * inputs + c;
                memset(values, 0, sizeof values);
                if (wide) {
                    memcpy(values, (const float *)weight + at, length * sizeof(float));
                } else {
                    for (long i = 0; i < length; i++) values[i] = from_narrow(((const uint16_t *)weight)[at + i]);
                }
                if (!pass) {
                    for (long i = 0; i < CHUNK; i++) largest = fmaxf(largest, fabsf(values[i]));
                    continue;
                }
                uint8_t *to = numbers + (r * m->columns + c) * m->bits / 8;
                if (m->bits == 8) {
                    uint16_t half = to_half(largest / 127);
                    scale = from_half(scales[r] = half ? half : 1);
                    for (long i = 0; i < CHUNK; i++) to[i] = (uint8_t)(int8_t)fminf(fmaxf(rintf(values[i] / scale), -127), 127);
                    continue;
                }
                for (long g = 0; g < CHUNK; g += m->group) {
                    float low = 0, high = 0;
                    for (long i = g; i < g + m->group; i++) low = fminf(low, values[i]), high = fmaxf(high, values[i]);
                    uint16_t half = to_half((high > -low ? high : low) / -8);
                    scale = from_half(scales[r * groups + (c + g) / m->group] = half & 0x7fff ? half : 1);
                    for (long i = g; i < g + m->group; i++) values[i] = fminf(fmaxf(rintf(values[i] / scale) + 8, 0), 15);
                }
                for (long i = 0; i < CHUNK / 2; i++) to[i] = (uint8_t)((int)values[2 * i] | (int)values[2 * i + 1] << 4);
            }
        }
    }
}
