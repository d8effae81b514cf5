/* Attention in bfloat16 by tiles, with sums in float32, where the processor multiplies bfloat16 itself.

   A task is up to 512 queries of one head, up to 1,024 of a long sequence, whose keys are then packed half as often. For
   each 256 keys it packs keys and values so that the product instruction, which adds pairs, finds pairs side by side; then
   for eight queries at a time it makes the scores, the weights of the softmax (its largest score so far is kept for each
   query, and sums are rescaled when it grows), and adds the weighted values. */

#ifdef __AVX512BF16__
#include "attention_tiles.h"

#define QUERIES 1024
#define KEYS 256

typedef struct {
    uint32_t q[QUERIES + 8][64], k[64][KEYS], v[KEYS / 2][128]; /* pairs of bfloat16 */
    float out[QUERIES + 8][128], largest[QUERIES + 8], sum[QUERIES + 8], scores[8][KEYS];
    uint32_t weights[8][KEYS / 2];
} Memory;

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
    for (long i = 0; i < end; i += 2) pair_rows(m->v[i / 2], v, v_step, i, count, dim);
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
        _mm512_storeu_si512(&m->weights[r][j / 2], (__m512i)_mm512_cvtne2ps_pbh(part[1], part[0]));
    }
    float change = exp2f(before - largest);
    m->largest[at + r] = largest;
    m->sum[at + r] = m->sum[at + r] * change + _mm512_reduce_add_ps(total);
    return change;
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
            long last = past + first + at + 8 - j, seen_end = a->causal && last < end ? (last + 31) / 32 * 32 : end;
            if (a->causal && last <= 0) continue; /* these queries see none of the keys */
            make_scores(m->q[at], 64, m->k[0], m->scores[0], KEYS, seen_end, dim);
            for (long r = 0; r < 8; r++) {
                long seen = a->causal ? past + first + at + r + 1 - j : keys;
                change[r] = weigh(m, at, r, seen < 0 ? 0 : seen < keys ? seen : keys, seen_end, scale);
            }
            int step = dim > 96 ? 2 : 4;
            for (long r = 0; r < 8; r += step) {
                add_products(m->out[at + r], change + r, m->weights[r], KEYS / 2, 1, m->v[0], seen_end / 2, dim, step);
            }
        }
    }
    for (long i = 0; i < count; i++) {
        uint16_t *to = a->out + ((sequence * a->queries + first + i) * a->heads + head) * dim;
        __m512 inverse = _mm512_set1_ps(1 / m->sum[i]);
        for (long d = 0; d < dim; d += 16) {
            __m256bh part = _mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_loadu_ps(&m->out[i][d]), inverse));
            memcpy(to + d, &part, 32);
        }
        if (a->normalizer) a->normalizer[(first + i) * a->heads + head] = m->largest[i] + log2f(m->sum[i]);
    }
}

static void attend_any(const Attention *a, Memory *m, long sequence, long head, long first, long dim) {
    if (dim == 32) attend(a, m, sequence, head, first, 32);
    else if (dim == 64) attend(a, m, sequence, head, first, 64);
    else if (dim == 80) attend(a, m, sequence, head, first, 80);
    else attend(a, m, sequence, head, first, 128);
}

void flash_attention(const Attention *a, long dim) {
    long block = block_of(a), parts = (a->queries + block - 1) / block, tasks = a->sequences * a->heads * parts;
#pragma omp parallel if (a->sequences * a->heads * a->queries * a->keys * dim > MANY_PRODUCTS)
    {
        Memory *m = aligned_alloc(64, (sizeof(Memory) + 63) / 64 * 64);
#pragma omp for schedule(dynamic)
        for (long t = 0; t < tasks; t++) {
            long sequence = t / (a->heads * parts), head = t / parts % a->heads, first = t % parts * block;
            attend_any(a, m, sequence, head, first, dim);
        }
        free(m);
    }
}

/* Sequences of any lengths, each from `starts` on, that attend to themselves. */
void packed_attention(const Attention *a, const int64_t *starts, long dim) {
#pragma omp parallel if (starts[a->sequences] * a->heads * dim > MANY_NUMBERS)
    {
        Memory *m = aligned_alloc(64, (sizeof(Memory) + 63) / 64 * 64);
#pragma omp for schedule(dynamic)
        for (long t = 0; t < a->sequences * a->heads; t++) {
            Attention one = sequence_of(a, starts, t / a->heads, dim);
            for (long first = 0; first < one.queries; first += block_of(&one)) attend_any(&one, m, 0, t % a->heads, first, dim);
        }
        free(m);
    }
}
#endif
