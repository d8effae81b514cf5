/* Attention of tokens that decode to keys and values in a paged cache, which are read where they stand.

   A task is 256 tokens of one sequence and the heads that share a key head: all scores, one softmax, all weighted values. Tasks
   are merged by their largest scores, in order, so that a result depends neither on other sequences nor on the threads.

   A vector holds four words of each of HEADS heads: a word is a float32 or, where the processor multiplies bfloat16 and both
   sides are, two of those. Four words of a key meet all of them, so that few sums go across a vector. Memory is asked for
   early: a block of tokens seldom stands beside the next one. */

#include <float.h>
#include <stdlib.h>
#include "numbers.h"
#include "paged_attention.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define HEADS (LANES / 4)
#define MAX_HEADS 16
#define MAX_DIM 256
#define PIECE 256
#define TILE 16
#define TOKENS 8 /* whose sums are in registers at once */

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* Tokens of one task: places in memory, scales, weights of the softmax as (vectors of heads, tokens, heads of a vector); queries
   as (vectors of heads, words / 4, heads of a vector, 4). */
typedef struct {
    long count, vectors, slots[PIECE + 2 * TILE];
    const char *rows[TILE];
    float key_scales[PIECE], value_scales[PIECE], weights[MAX_HEADS / HEADS][PIECE * HEADS];
    float q[MAX_HEADS * MAX_DIM], room[TILE * MAX_DIM], sums[TILE * LANES];
} Task;

ALWAYS Vector four_words(const char *from) { /* as often as a vector has heads */
#if LANES == 16
    return (Vector)_mm512_broadcast_f32x4(_mm_loadu_ps((const float *)from));
#elif LANES == 8
    return (Vector)_mm256_broadcast_ps((const __m128 *)from);
#else
    return *(const Vector *)from;
#endif
}

ALWAYS Vector add_products(Vector sum, Vector a, Vector b, const int pairs) {
#ifdef __AVX512BF16__
    if (pairs) return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#endif
    (void)pairs;
    return sum + a * b;
}

/* `rows` of the task become those of `count` tokens from `first` on, widened where `bits` are not 32. */
ALWAYS void read_rows(Task *t, const char *numbers, long first, long count, long dim, long stride, const int bits) {
    for (long i = 0; i < count; i++) {
        const char *from = numbers + t->slots[first + i] * stride;
        float *restrict to = t->room + i * dim;
        t->rows[i] = bits == 32 ? from : (const char *)to;
        for (long j = 0; j < dim && bits == 16; j++) to[j] = from_narrow(((const uint16_t *)from)[j]);
        for (long j = 0; j < dim && bits == 8; j++) to[j] = (float)((const int8_t *)from)[j];
    }
}

ALWAYS void read_tile(Task *t, const char *numbers, long first, long count, long dim, long bits, int pairs) {
    if (bits == 32 || pairs) read_rows(t, numbers, first, count, dim, dim * bits / 8, 32);
    else if (bits == 16) read_rows(t, numbers, first, count, dim, dim * 2, 16);
    else read_rows(t, numbers, first, count, dim, dim, 8);
}

/* Scores of a tile for the heads of one vector; the tile `ahead`, of TILE * `stride` bytes, is asked for. */
ALWAYS void tile_scores(Task *t, long vector, long first, long words, const char *ahead, long stride, const int pairs) {
    long step = 4 * TOKENS * stride / words;
    for (long at = 0; at < TILE; at += TOKENS) {
        Vector sums[TOKENS];
        const Vector *q = (const Vector *)(t->q + vector * words * HEADS);
        for (int i = 0; i < TOKENS; i++) sums[i] = (Vector){0};
        for (long w = 0; w < words / 4; w++) {
            Vector x = q[w];
            __builtin_prefetch(ahead + at * stride + w * step);
            if (step > 64) __builtin_prefetch(ahead + at * stride + w * step + 64);
#pragma GCC unroll 8
            for (int i = 0; i < TOKENS; i++) sums[i] = add_products(sums[i], x, four_words(t->rows[at + i] + 16 * w), pairs);
        }
        for (int i = 0; i < TOKENS; i++) *(Vector *)(t->sums + (at + i) * LANES) = sums[i];
    }
    float *weights = t->weights[vector] + first * HEADS, *p = t->sums;
    for (long i = 0; i < TILE * HEADS; i++) weights[i] = p[4 * i] + p[4 * i + 1] + p[4 * i + 2] + p[4 * i + 3];
}

/* out (heads of a vector, dim) += weighted values of `count` tokens, from d on. */
ALWAYS void some_values(const Task *t, float *restrict out, const float *weights, long count, long d, long dim, const char *ahead,
                        long stride, const int parts) {
    long begin = d * stride / dim, end = (d + LANES * parts) * stride / dim;
    Vector sums[HEADS][4];
#pragma GCC unroll 4
    for (int i = 0; i < HEADS * parts; i++) sums[i / parts][i % parts] = *(Vector *)(out + i / parts * dim + d + LANES * (i % parts));
    for (long n = 0; n < count; n++) {
        const float *from = (const float *)t->rows[n] + d;
        for (long b = begin; b < end; b += 64) __builtin_prefetch(ahead + n * stride + b);
#pragma GCC unroll 4
        for (int h = 0; h < HEADS; h++) {
#pragma GCC unroll 4
            for (int j = 0; j < parts; j++) sums[h][j] += weights[n * HEADS + h] * *(const Vector *)(from + LANES * j);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < HEADS * parts; i++) *(Vector *)(out + i / parts * dim + d + LANES * (i % parts)) = sums[i / parts][i % parts];
}

/* Scores of one vector of heads become weights that are to be multiplied with values as they stand. */
static void weigh(Task *t, float *restrict weights, float root, int is_scaled, float *largest, float *total) {
    float most[LANES], sum[LANES] = {0};
    long vectors = (t->count + 3) / 4;
    for (int j = 0; j < LANES; j++) most[j] = -FLT_MAX;
    for (long i = 0; i < t->count * HEADS && is_scaled; i++) weights[i] *= t->key_scales[i / HEADS];
    for (long i = t->count * HEADS; i < vectors * LANES; i++) weights[i] = -FLT_MAX;
    for (long v = 0; v < vectors; v++) {
        for (int j = 0; j < LANES; j++) most[j] = fmaxf(most[j], weights[v * LANES + j]);
    }
    for (int h = 0; h < HEADS; h++) {
        float found = fmaxf(fmaxf(most[h], most[HEADS + h]), fmaxf(most[2 * HEADS + h], most[3 * HEADS + h]));
        for (int j = h; j < LANES; j += HEADS) most[j] = found;
        largest[h] = found * root;
    }
    for (long v = 0; v < vectors; v++) {
        for (int j = 0; j < LANES; j++) {
            float weight = power_of_e(fmaxf((weights[v * LANES + j] - most[j]) * root, -87));
            weights[v * LANES + j] = weight, sum[j] += weight;
        }
    }
    for (int h = 0; h < HEADS; h++) total[h] = sum[h] + sum[HEADS + h] + sum[2 * HEADS + h] + sum[3 * HEADS + h];
    for (long i = 0; i < t->count * HEADS && is_scaled; i++) weights[i] *= t->value_scales[i / HEADS];
}

/* out: for each head a sum of `dim` numbers, then for each the largest score, then the sums of the weights. */
ALWAYS void attend(Task *t, const char *keys, const char *values, float *out, const long dim, long bits, const int pairs) {
    long heads = t->vectors * HEADS, stride = dim * bits / 8;
    for (long first = 0; first < t->count; first += TILE) {
        const char *ahead = keys + t->slots[first + TILE] * stride;
        read_tile(t, keys, first, TILE, dim, bits, pairs);
        for (long v = 0; v < t->vectors; v++) tile_scores(t, v, first, pairs ? dim / 2 : dim, ahead, stride, pairs);
    }
    for (long v = 0; v < t->vectors; v++) {
        float *largest = out + heads * dim + v * HEADS;
        weigh(t, t->weights[v], 1 / sqrtf((float)dim), bits == 8, largest, largest + heads);
    }
    memset(out, 0, heads * dim * sizeof(float));
    for (long first = 0; first < t->count; first += TILE) {
        long count = t->count - first < TILE ? t->count - first : TILE;
        const char *ahead = values + t->slots[first + TILE] * stride;
        read_tile(t, values, first, count, dim, bits, 0);
        for (long v = 0; v < t->vectors; v++) {
            float *to = out + v * HEADS * dim, *weights = t->weights[v] + first * HEADS;
            long d = 0;
            for (; d + 4 * LANES <= dim; d += 4 * LANES) some_values(t, to, weights, count, d, dim, ahead, stride, 4);
            for (; d < dim; d += LANES) some_values(t, to, weights, count, d, dim, ahead, stride, 1);
        }
    }
}

static void lay_queries(Task *t, const void *q, long heads, long dim, long wide, int pairs) {
    long words = pairs ? dim / 2 : dim;
    memset(t->q, 0, t->vectors * HEADS * words * sizeof(float));
    for (long h = 0; h < heads; h++) {
        float *to = t->q + h / HEADS * words * HEADS + h % HEADS * 4;
        for (long w = 0; w < words; w++) {
            float *word = to + w / 4 * LANES + w % 4;
            if (pairs) memcpy(word, (const uint16_t *)q + h * dim + 2 * w, 4);
            else *word = wide ? ((const float *)q)[h * dim + w] : from_narrow(((const uint16_t *)q)[h * dim + w]);
        }
    }
}

/* Tokens `first` and on of row r, for group g of heads. */
static void run_task(const Paged *p, const char *memory, const float *scales, const void *q, long r, long g, long first, long heads,
                     long wide, float *out) {
    Task t;
    long all = p->blocks * p->size, length = p->lengths[r], dim = p->dim, bits = p->bits, pairs = 0;
#ifdef __AVX512BF16__
    pairs = bits == 16 && !wide;
#endif
    t.count = length - first < PIECE ? length - first : PIECE;
    t.vectors = (heads + HEADS - 1) / HEADS;
    for (long i = 0, token = first; i < t.count;) {
        long place = token % p->size, start = p->tables[r * p->width + token / p->size] * p->size + place;
        for (; place < p->size && i < t.count; place++, i++, token++) t.slots[i] = start++;
    }
    for (long i = t.count; i < t.count + 2 * TILE && i < PIECE + 2 * TILE; i++) t.slots[i] = t.slots[t.count - 1];
    for (long i = 0; i < t.count && bits == 8; i++) {
        t.key_scales[i] = scales[g * all + t.slots[i]], t.value_scales[i] = scales[(p->groups + g) * all + t.slots[i]];
    }
    lay_queries(&t, (const char *)q + (r * p->groups + g) * heads * dim * (wide ? 4 : 2), heads, dim, wide, (int)pairs);
    const char *keys = memory + g * all * dim * bits / 8, *values = memory + (p->groups + g) * all * dim * bits / 8;
#define ATTEND(dim) pairs ? attend(&t, keys, values, out, dim, bits, 1) : attend(&t, keys, values, out, dim, bits, 0)
    if (dim == 128) ATTEND(128);
    else if (dim == 64) ATTEND(64);
    else ATTEND(dim);
}

/* One head's `pieces` results, `step` numbers apart, become one. */
static void merge(const float *parts, long pieces, long step, long heads, long head, long dim, void *out, long at, long wide) {
    float most = -FLT_MAX, total = 0, sums[MAX_DIM] = {0};
    for (long i = 0; i < pieces; i++) most = fmaxf(most, parts[i * step + heads * dim + head]);
    for (long i = 0; i < pieces; i++) {
        const float *part = parts + i * step, *numbers = part + head * dim;
        float weight = power_of_e(fmaxf(part[heads * dim + head] - most, -87));
        total += weight * part[heads * dim + heads + head];
        for (long d = 0; d < dim; d++) sums[d] += weight * numbers[d];
    }
    for (long d = 0; d < dim; d++) {
        if (wide) ((float *)out)[at + d] = sums[d] / total;
        else ((uint16_t *)out)[at + d] = to_narrow(sums[d] / total);
    }
}

void paged_attention(const Paged *p, const void *memory, const float *scales, const void *q, void *out, long heads, long wide) {
    long padded = (heads + HEADS - 1) / HEADS * HEADS, step = padded * (p->dim + 2), *starts = malloc((p->rows + 1) * sizeof(long));
    starts[0] = 0;
    for (long r = 0; r < p->rows; r++) starts[r + 1] = starts[r] + (p->lengths[r] + PIECE - 1) / PIECE;
    long bytes = 0;
    for (long r = 0; r < p->rows; r++) bytes += 2 * p->lengths[r] * p->groups * p->dim * p->bits / 8;
    float *parts = malloc(starts[p->rows] * p->groups * step * sizeof(float));
#pragma omp parallel if (bytes > MANY_BYTES)
    {
#pragma omp for schedule(dynamic)
        for (long i = 0; i < starts[p->rows] * p->groups; i++) {
            long r = 0, piece = i / p->groups;
            while (starts[r + 1] <= piece) r++;
            long g = i % p->groups, at = starts[r] * p->groups + g * (starts[r + 1] - starts[r]) + piece - starts[r];
            run_task(p, memory, scales, q, r, g, (piece - starts[r]) * PIECE, heads, wide, parts + at * step);
        }
#pragma omp for schedule(static)
        for (long i = 0; i < p->rows * p->groups * heads; i++) {
            long r = i / (p->groups * heads), g = i / heads % p->groups, pieces = starts[r + 1] - starts[r];
            const float *from = parts + (starts[r] * p->groups + g * pieces) * step;
            merge(from, pieces, step, padded, i % heads, p->dim, out, i * p->dim, wide);
        }
    }
    free(parts), free(starts);
}

void paged_write(const Paged *p, void *memory, float *scales, long r, long kind, long g, const float *numbers) {
    long last = p->lengths[r] - 1, block = p->tables[r * p->width + last / p->size], dim = p->dim;
    long place = ((kind * p->groups + g) * p->blocks + block) * p->size + last % p->size, at = place * dim;
    if (p->bits == 32) memcpy((float *)memory + at, numbers, dim * sizeof(float));
    for (long i = 0; i < dim && p->bits == 16; i++) ((uint16_t *)memory)[at + i] = to_narrow(numbers[i]);
    if (p->bits != 8) return;
    float largest = 0;
    for (long i = 0; i < dim; i++) largest = fmaxf(largest, fabsf(numbers[i]));
    scales[place] = largest / 127;
    for (long i = 0; i < dim; i++) ((int8_t *)memory)[at + i] = (int8_t)rintf(numbers[i] / fmaxf(scales[place], 1e-38f));
}
