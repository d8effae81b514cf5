/* Attention of one new token of each sequence to keys and values in bytes, one scale a head and token, in a paged cache.

   memory (2, groups, blocks, size, dim), scales (2, groups, blocks, size); q and out (sequences, groups * heads, dim).
   Row s of `tables` (`width` numbers) has the blocks of sequence s, which has `lengths[s]` tokens. Keys are read once for
   all heads of a group; the softmax is made as they come: sums are scaled down whenever a larger score appears. */

#include <float.h>
#include <math.h>
#include <stdint.h>

#define MAX_HEADS 16
#define MAX_DIM 256
#define ALWAYS static inline __attribute__((always_inline))

typedef struct {
    const int8_t *keys, *values;
    const float *key_scales, *value_scales;
} Block;

ALWAYS void widen(const int8_t *restrict numbers, float *restrict out, long dim) {
    for (long i = 0; i < dim; i++) out[i] = (float)numbers[i];
}

ALWAYS void one_group(const float *restrict q, Block at, const int64_t *table, long length, long size, long heads, long dim,
                      float *restrict out) {
    float largest[MAX_HEADS], total[MAX_HEADS], wide[MAX_DIM], root = 1 / sqrtf((float)dim);
    for (long h = 0; h < heads; h++) largest[h] = -FLT_MAX, total[h] = 0;
    for (long i = 0; i < heads * dim; i++) out[i] = 0;
    for (long t = 0; t < length; t++) {
        long slot = table[t / size] * size + t % size;
        float weights[MAX_HEADS];
        widen(at.keys + slot * dim, wide, dim);
        for (long h = 0; h < heads; h++) {
            float sum = 0;
            for (long i = 0; i < dim; i++) sum += q[h * dim + i] * wide[i];
            sum *= at.key_scales[slot] * root;
            if (sum > largest[h]) {
                float less = expf(largest[h] - sum);
                largest[h] = sum, total[h] *= less;
                for (long i = 0; i < dim; i++) out[h * dim + i] *= less;
            }
            weights[h] = expf(sum - largest[h]);
            total[h] += weights[h];
        }
        widen(at.values + slot * dim, wide, dim);
        for (long h = 0; h < heads; h++) {
            float weight = weights[h] * at.value_scales[slot];
            for (long i = 0; i < dim; i++) out[h * dim + i] += weight * wide[i];
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
        Block at = {memory + g * all * dim, memory + (groups + g) * all * dim, scales + g * all, scales + (groups + g) * all};
        const int64_t *table = tables + s * width;
        if (dim == 128) one_group(q + row, at, table, lengths[s], size, heads, 128, out + row);
        else if (dim == 64) one_group(q + row, at, table, lengths[s], size, heads, 64, out + row);
        else one_group(q + row, at, table, lengths[s], size, heads, dim, out + row);
    }
}
