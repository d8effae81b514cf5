/* Attention of one new token of each sequence to keys and values in bytes, one scale a head and token, in a paged cache.

   memory (2, groups, blocks, size, dim), scales (2, groups, blocks, size); q and out (sequences, groups * heads, dim).
   Row s of `tables` (`width` numbers) has the blocks of sequence s, which has `lengths[s]` tokens. Keys are read once for
   all heads of a group, sixteen tokens at a time; sums are scaled down whenever a larger score appears. `dim` is a multiple of
   16. */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_HEADS 16
#define MAX_DIM 256
#define TILE 16
#define ALWAYS static inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias)); /* the compiler splits it where it must */

typedef struct {
    const int8_t *keys, *values;
    const float *key_scales, *value_scales;
} Memory;

/* 2 to the power of x, for x <= 0, to about 1e-7. */
ALWAYS float power_of_two(float x) {
    float whole = rintf(fmaxf(x, -126)), r = fmaxf(x, -126) - whole;
    float p = 1.54035304e-4f * r + 1.33335581e-3f;
    p = ((((p * r + 9.61812911e-3f) * r + 5.55041087e-2f) * r + 2.40226507e-1f) * r + 6.93147181e-1f) * r + 1.0f;
    int32_t bits;
    memcpy(&bits, &p, sizeof bits);
    bits += (int32_t)whole << 23;
    memcpy(&p, &bits, sizeof p);
    return p;
}

ALWAYS void widen(const int8_t *restrict numbers, float *restrict out, float scale, long dim) {
    for (long i = 0; i < dim; i++) out[i] = (float)numbers[i] * scale;
}

/* out += sum over a tile of weights[t] * values[t]. */
ALWAYS void add_weighted(float *restrict out, const float *restrict weights, const float *restrict values, long dim) {
    for (long i = 0; i < dim; i += 64) {
        Vector sums[4];
        long count = dim - i < 64 ? (dim - i) / 16 : 4;
        for (long j = 0; j < count; j++) sums[j] = *(const Vector *)(out + i + 16 * j);
        for (long t = 0; t < TILE; t++) {
            for (long j = 0; j < count; j++) sums[j] += weights[t] * *(const Vector *)(values + t * dim + i + 16 * j);
        }
        for (long j = 0; j < count; j++) *(Vector *)(out + i + 16 * j) = sums[j];
    }
}

ALWAYS void one_group(const float *restrict q, Memory at, const int64_t *table, long length, long size, long heads, long dim,
                      float *restrict out) {
    float largest[MAX_HEADS], total[MAX_HEADS], scores[MAX_HEADS][TILE], wide[TILE * MAX_DIM];
    float root = 1.44269504f / sqrtf((float)dim); /* powers are of two */
    for (long h = 0; h < heads; h++) largest[h] = -FLT_MAX, total[h] = 0;
    memset(out, 0, heads * dim * sizeof(float));
    for (long first = 0; first < length; first += TILE) {
        long slots[TILE], count = length - first < TILE ? length - first : TILE;
        for (long t = 0; t < TILE; t++) {
            long token = first + (t < count ? t : 0);
            slots[t] = table[token / size] * size + token % size;
            widen(at.keys + slots[t] * dim, wide, at.key_scales[slots[t]] * root, dim);
            for (long h = 0; h < heads; h++) {
                float sum = 0;
                for (long i = 0; i < dim; i++) sum += q[h * dim + i] * wide[i];
                scores[h][t] = t < count ? sum : -FLT_MAX;
            }
        }
        for (long t = 0; t < TILE; t++) widen(at.values + slots[t] * dim, wide + t * dim, at.value_scales[slots[t]], dim);
        for (long h = 0; h < heads; h++) {
            float most = largest[h], sum = 0;
            for (long t = 0; t < TILE; t++) most = fmaxf(most, scores[h][t]);
            if (most > largest[h]) {
                float less = power_of_two(largest[h] - most);
                for (long i = 0; i < dim; i++) out[h * dim + i] *= less;
                largest[h] = most, total[h] *= less;
            }
            for (long t = 0; t < TILE; t++) scores[h][t] = t < count ? power_of_two(scores[h][t] - most) : 0;
            for (long t = 0; t < TILE; t++) sum += scores[h][t];
            total[h] += sum;
            add_weighted(out + h * dim, scores[h], wide, dim);
        }
    }
    for (long h = 0; h < heads; h++) {
        for (long i = 0; i < dim; i++) out[h * dim + i] /= total[h];
    }
}

void byte_attention(const float *restrict q, const int8_t *memory, const float *scales, const int64_t *tables,
                    const int64_t *lengths, float *restrict out, long sequences, long groups, long heads, long blocks, long size,
                    long dim, long width) {
#pragma omp parallel for schedule(dynamic)
    for (long i = 0; i < sequences * groups; i++) {
        long s = i / groups, g = i % groups, all = blocks * size, row = i * heads * dim;
        Memory at = {memory + g * all * dim, memory + (groups + g) * all * dim, scales + g * all, scales + (groups + g) * all};
        const int64_t *table = tables + s * width;
        if (dim == 128) one_group(q + row, at, table, lengths[s], size, heads, 128, out + row);
        else if (dim == 64) one_group(q + row, at, table, lengths[s], size, heads, 64, out + row);
        else one_group(q + row, at, table, lengths[s], size, heads, dim, out + row);
    }
}
