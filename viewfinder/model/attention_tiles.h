/* Products of tiles in attention, with sums in float32, where the processor multiplies bfloat16 itself. */

#include <immintrin.h>
#include <stdlib.h>
#include "numbers.h"

/* Numbers between tensors' neighbours: sequences, tokens, heads. Each head's numbers lie together. */
typedef struct {
    const uint16_t *data;
    long sequence, token, head;
} Rows;

typedef struct {
    Rows q, k, v;
    uint16_t *out; /* contiguous: sequences, queries, heads, numbers */
    long sequences, queries, keys, heads, key_heads, causal;
    float *normalizer; /* log2 of the sum of each query and head (queries, heads), for the backward pass; or NULL */
} Attention;

/* One of the sequences of a pack, which attends to itself. */
ALWAYS Attention sequence_of(const Attention *a, const int64_t *starts, long sequence, long dim) {
    Attention one = *a;
    long first = starts[sequence];
    one.queries = one.keys = starts[sequence + 1] - first;
    one.q.data += first * a->q.token, one.k.data += first * a->k.token, one.v.data += first * a->v.token;
    one.out += first * a->heads * dim, one.normalizer += first * a->heads;
    return one;
}

/* The rows of tokens i and i + 1 as pairs of their numbers; tokens from `count` on are zero. */
ALWAYS void pair_rows(uint32_t *restrict to, const uint16_t *from, long step, long i, long count, long dim) {
    static const uint16_t zeros[128];
    const uint16_t *restrict a = i < count ? from + i * step : zeros, *restrict b = i + 1 < count ? from + (i + 1) * step : zeros;
    for (long d = 0; d < dim; d++) to[d] = a[d] | (uint32_t)b[d] << 16;
}

ALWAYS __m512 pairs(__m512 sum, __m512i a, uint32_t b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)_mm512_set1_epi32((int)b));
}

/* 2 to the power of x, for x <= 0, to about 1e-5: a weight of bfloat16 has 4e-3. */
ALWAYS __m512 power_of_two(__m512 x) {
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = _mm512_sub_ps(x, whole);
    __m512 p = _mm512_set1_ps(9.66637369e-03f);
    const float factors[] = {5.58383427e-02f, 2.40223489e-01f, 6.93136726e-01f, 1.0f};
    for (int i = 0; i < 4; i++) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(factors[i]));
    return _mm512_scalef_ps(p, whole);
}

/* Scores of 8 rows (pairs along `dim` side by side) with `end` others (a row of `k` for each pair), a multiple of 32. */
ALWAYS void make_scores(const uint32_t *q, long q_step, const uint32_t *k, float *scores, long step, long end, long dim) {
    for (long j = 0; j < end; j += 32) {
        __m512 s[8][2];
        for (int r = 0; r < 8; r++) s[r][0] = s[r][1] = _mm512_setzero_ps();
        for (long d = 0; d < dim / 2; d++) {
            __m512i a = _mm512_loadu_si512(k + d * step + j), b = _mm512_loadu_si512(k + d * step + j + 16);
#pragma GCC unroll 8
            for (int r = 0; r < 8; r++) {
                s[r][0] = pairs(s[r][0], a, q[r * q_step + d]), s[r][1] = pairs(s[r][1], b, q[r * q_step + d]);
            }
        }
        for (int r = 0; r < 8; r++) {
            _mm512_storeu_ps(scores + r * step + j, s[r][0]), _mm512_storeu_ps(scores + r * step + j + 16, s[r][1]);
        }
    }
}

/* out (count rows of 128) = out * change + the sum over p of a[row * a_row + p * a_pair] with row p of b (rows of 128). */
ALWAYS void add_products(float *out, const float *change, const uint32_t *a, long a_row, long a_pair, const uint32_t *b, long count,
                         long dim, int rows) {
    __m512 sums[4][8];
    for (int i = 0; i < rows; i++) {
        for (long d = 0; d < dim / 16; d++) {
            sums[i][d] = _mm512_loadu_ps(out + i * 128 + 16 * d);
            if (change) sums[i][d] = _mm512_mul_ps(sums[i][d], _mm512_set1_ps(change[i]));
        }
    }
    for (long p = 0; p < count; p++) {
#pragma GCC unroll 8
        for (long d = 0; d < dim / 16; d++) {
            __m512i value = _mm512_loadu_si512(b + p * 128 + 16 * d);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++) sums[i][d] = pairs(sums[i][d], value, a[i * a_row + p * a_pair]);
        }
    }
    for (int i = 0; i < rows; i++) {
        for (long d = 0; d < dim / 16; d++) _mm512_storeu_ps(out + i * 128 + 16 * d, sums[i][d]);
    }
}
