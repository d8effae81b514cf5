/* Attention in bfloat16 by tiles, with sums in float32, where the processor multiplies bfloat16 itself.

   A task is up to 512 queries of one head, up to 1,024 of a long sequence, whose keys are then packed half as often. For
   each 256 keys it packs keys and values so that the product instruction, which adds pairs, finds pairs side by side; then
   for eight queries at a time it makes the scores, the weights of the softmax (its largest score so far is kept for each
   query, and sums are rescaled when it grows), and adds the weighted values. */

#ifdef __AVX512BF16__
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS static inline __attribute__((always_inline))
#define QUERIES 1024
#define KEYS 256

/* Numbers between tensors' neighbours: sequences, tokens, heads. Each head's numbers lie together. */
typedef struct {
    const uint16_t *data;
    long sequence, token, head;
} Rows;

typedef struct {
    Rows q, k, v;
    uint16_t *out; /* contiguous: sequences, queries, heads, numbers */
    long sequences, queries, keys, heads, key_heads, causal;
} Attention;

typedef struct {
    uint32_t q[QUERIES + 8][64], k[64][KEYS], v[KEYS / 2][128]; /* pairs of bfloat16 */
    float out[QUERIES + 8][128], largest[QUERIES + 8], sum[QUERIES + 8], scores[8][KEYS];
    uint16_t weights[8][KEYS];
} Memory;

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

/* Keys and values `first` to `first + count`; places up to a multiple of 32 are zero. */
ALWAYS void pack(Memory *m, const uint16_t *k, const uint16_t *v, long k_step, long v_step, long count, long dim) {
    long end = (count + 31) / 32 * 32;
    for (long i = 0; i < end; i++) {
        const uint16_t *from = k + i * k_step;
        for (long d = 0; d < dim / 2; d++) {
            uint32_t pair = 0;
            if (i < count) memcpy(&pair, from + 2 * d, 4);
            m->k[d][i] = pair;
        }
    }
    for (long i = 0; i < end / 2; i++) {
        const uint16_t *a = v + 2 * i * v_step, *b = a + v_step;
        for (long d = 0; d < dim; d++) {
            m->v[i][d] = (2 * i < count ? a[d] : 0) | (uint32_t)(2 * i + 1 < count ? b[d] : 0) << 16;
        }
    }
}

ALWAYS void make_scores(Memory *m, long at, long end, long dim) {
    for (long j = 0; j < end; j += 32) {
        __m512 s[8][2];
        for (int r = 0; r < 8; r++) s[r][0] = s[r][1] = _mm512_setzero_ps();
        for (long d = 0; d < dim / 2; d++) {
            __m512i a = _mm512_loadu_si512(&m->k[d][j]), b = _mm512_loadu_si512(&m->k[d][j + 16]);
#pragma GCC unroll 8
            for (int r = 0; r < 8; r++) s[r][0] = pairs(s[r][0], a, m->q[at + r][d]), s[r][1] = pairs(s[r][1], b, m->q[at + r][d]);
        }
        for (int r = 0; r < 8; r++) {
            _mm512_storeu_ps(&m->scores[r][j], s[r][0]), _mm512_storeu_ps(&m->scores[r][j + 16], s[r][1]);
        }
    }
}

/* Weights of row r for its first `seen` keys; later ones are zero. Gives what earlier sums are to be multiplied with. */
ALWAYS float weigh(Memory *m, long at, long r, long seen, long end, float scale) {
    const float *scores = m->scores[r];
    __m512 most = _mm512_set1_ps(-1e30f), total = _mm512_setzero_ps();
    for (long j = 0; j < seen; j += 16) {
        __mmask16 valid = seen - j >= 16 ? 0xffff : (__mmask16)((1 << (seen - j)) - 1);
        most = _mm512_mask_max_ps(most, valid, most, _mm512_loadu_ps(scores + j));
    }
    float before = m->largest[at + r], largest = fmaxf(before, _mm512_reduce_max_ps(most) * scale);
    __m512 factor = _mm512_set1_ps(scale), less = _mm512_set1_ps(-largest);
    for (long j = 0; j < end; j += 32) {
        __m512 part[2];
        for (long h = 0; h < 2; h++) {
            long left = seen - j - 16 * h;
            __mmask16 valid = left >= 16 ? 0xffff : left <= 0 ? 0 : (__mmask16)((1 << left) - 1);
            __m512 score = _mm512_loadu_ps(scores + j + 16 * h);
            part[h] = _mm512_maskz_mov_ps(valid, power_of_two(_mm512_fmadd_ps(score, factor, less)));
            total = _mm512_add_ps(total, part[h]);
        }
        _mm512_storeu_si512(&m->weights[r][j], (__m512i)_mm512_cvtne2ps_pbh(part[1], part[0]));
    }
    float change = exp2f(before - largest);
    m->largest[at + r] = largest;
    m->sum[at + r] = m->sum[at + r] * change + _mm512_reduce_add_ps(total);
    return change;
}

/* Add the weighted values to `count` rows of the result. */
ALWAYS void add_values(Memory *m, long at, long r, const float *change, long end, long dim, int count) {
    __m512 sums[4][8];
    for (int i = 0; i < count; i++) {
        for (long d = 0; d < dim / 16; d++) {
            sums[i][d] = _mm512_mul_ps(_mm512_loadu_ps(&m->out[at + r + i][16 * d]), _mm512_set1_ps(change[r + i]));
        }
    }
    for (long j = 0; j < end / 2; j++) {
        uint32_t weight[4];
        for (int i = 0; i < count; i++) memcpy(&weight[i], &m->weights[r + i][2 * j], 4);
#pragma GCC unroll 8
        for (long d = 0; d < dim / 16; d++) {
            __m512i value = _mm512_loadu_si512(&m->v[j][16 * d]);
#pragma GCC unroll 4
            for (int i = 0; i < count; i++) sums[i][d] = pairs(sums[i][d], value, weight[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        for (long d = 0; d < dim / 16; d++) _mm512_storeu_ps(&m->out[at + r + i][16 * d], sums[i][d]);
    }
}

ALWAYS long block_of(const Attention *a) { return a->queries > 2 * QUERIES ? QUERIES : QUERIES / 2; }

ALWAYS void attend(const Attention *a, Memory *m, long sequence, long head, long first, long dim) {
    long count = a->queries - first < block_of(a) ? a->queries - first : block_of(a), past = a->keys - a->queries;
    long key_head = head / (a->heads / a->key_heads);
    const uint16_t *q = a->q.data + sequence * a->q.sequence + head * a->q.head + first * a->q.token;
    const uint16_t *k = a->k.data + sequence * a->k.sequence + key_head * a->k.head;
    const uint16_t *v = a->v.data + sequence * a->v.sequence + key_head * a->v.head;
    for (long i = 0; i < count + 8; i++) {
        if (i < count) memcpy(m->q[i], q + i * a->q.token, dim * 2);
        else memset(m->q[i], 0, dim * 2);
        memset(m->out[i], 0, dim * 4);
        m->largest[i] = -1e30f, m->sum[i] = 0;
    }
    float scale = 1.44269504f / sqrtf((float)dim); /* times log2(e) */
    long all = a->causal ? past + first + count : a->keys;
    for (long j = 0; j < all; j += KEYS) {
        long keys = all - j < KEYS ? all - j : KEYS, end = (keys + 31) / 32 * 32;
        pack(m, k + j * a->k.token, v + j * a->v.token, a->k.token, a->v.token, keys, dim);
        for (long at = 0; at < count; at += 8) {
            float change[8];
            if (a->causal && past + first + at + 8 <= j) continue; /* these queries see none of the keys */
            make_scores(m, at, end, dim);
            for (long r = 0; r < 8; r++) {
                long seen = a->causal ? past + first + at + r + 1 - j : keys;
                change[r] = weigh(m, at, r, seen < 0 ? 0 : seen < keys ? seen : keys, end, scale);
            }
            int step = dim > 96 ? 2 : 4;
            for (long r = 0; r < 8; r += step) add_values(m, at, r, change, end, dim, step);
        }
    }
    for (long i = 0; i < count; i++) {
        uint16_t *to = a->out + ((sequence * a->queries + first + i) * a->heads + head) * dim;
        __m512 inverse = _mm512_set1_ps(1 / m->sum[i]);
        for (long d = 0; d < dim; d += 16) {
            __m256bh part = _mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_loadu_ps(&m->out[i][d]), inverse));
            memcpy(to + d, &part, 32);
        }
    }
}

void flash_attention(const Attention *a, long dim) {
    long block = block_of(a), parts = (a->queries + block - 1) / block, tasks = a->sequences * a->heads * parts;
#pragma omp parallel
    {
        Memory *m = aligned_alloc(64, (sizeof(Memory) + 63) / 64 * 64);
#pragma omp for schedule(dynamic)
        for (long t = 0; t < tasks; t++) {
            long sequence = t / (a->heads * parts), head = t / parts % a->heads, first = t % parts * block;
            if (dim == 64) attend(a, m, sequence, head, first, 64);
            else if (dim == 80) attend(a, m, sequence, head, first, 80);
            else attend(a, m, sequence, head, first, 128);
        }
        free(m);
    }
}
#endif
