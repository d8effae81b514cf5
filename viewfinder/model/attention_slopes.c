/* The backward pass of `packed_attention`, by tiles as in the forward pass.

   With weights P = 2^(scores - normalizer), values v and the slope g of the result: the slope of v is P'g, that of a score
   is dS = P (g v' - g out), and from it dq = dS k and dk = dS' q. A task is one sequence and one head of keys with the query
   heads that share it; scores are made again for 32 queries and 64 keys at a time. */

#ifdef __AVX512BF16__
#include "attention_tiles.h"

#define ROWS 32
#define TILE 64

typedef struct {
    Attention a;
    Rows slope; /* of the result */
    uint16_t *q, *k, *v; /* slopes of these, contiguous: tokens, heads, numbers */
} Slopes;

typedef struct { /* what a tile of keys needs: pairs of bfloat16, and sums */
    uint32_t k_columns[64][TILE], v_columns[64][TILE], k_rows[TILE / 2][128];
    float k[TILE][128], v[TILE][128];
} Tile;

typedef struct {
    uint32_t q[ROWS][64], slope[ROWS][64], q_rows[ROWS / 2][128], slope_rows[ROWS / 2][128];
    float out[ROWS][128], scores[ROWS][TILE], products[ROWS][TILE], along[ROWS], normalizer[ROWS];
    uint32_t weights[ROWS / 2][TILE], changes[ROWS / 2][TILE]; /* pairs of queries */
    uint32_t changes_by_key[ROWS][TILE / 2]; /* pairs of keys */
} Block;

ALWAYS void round_row(uint16_t *to, const float *from, long dim) {
    for (long d = 0; d < dim; d += 16) {
        __m256bh part = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + d));
        memcpy(to + d, &part, 32);
    }
}

ALWAYS void load_tiles(Tile *tiles, const Attention *a, long key_head, long dim) {
    const uint16_t *k = a->k.data + key_head * a->k.head, *v = a->v.data + key_head * a->v.head;
    for (long j = 0; j < (a->keys + TILE - 1) / TILE * TILE; j++) {
        Tile *t = tiles + j / TILE;
        for (long d = 0; d < dim / 2; d++) {
            uint32_t key = 0, value = 0;
            if (j < a->keys) memcpy(&key, k + j * a->k.token + 2 * d, 4), memcpy(&value, v + j * a->v.token + 2 * d, 4);
            t->k_columns[d][j % TILE] = key, t->v_columns[d][j % TILE] = value;
        }
        if (j % 2 == 0) pair_rows(t->k_rows[j % TILE / 2], k, a->k.token, j, a->keys, dim);
        memset(t->k[j % TILE], 0, dim * 4), memset(t->v[j % TILE], 0, dim * 4);
    }
}

ALWAYS void load_block(Block *b, const Slopes *s, const Attention *a, const uint16_t *slope, long head, long first, long count,
                       long dim) {
    const uint16_t *q = a->q.data + head * a->q.head + first * a->q.token;
    for (long i = 0; i < ROWS; i++) {
        const uint16_t *out = a->out + ((first + i) * a->heads + head) * dim, *given = slope + i * s->slope.token;
        memset(b->q[i], 0, dim * 2), memset(b->slope[i], 0, dim * 2), memset(b->out[i], 0, dim * 4);
        b->along[i] = b->normalizer[i] = 0;
        if (i < count) {
            float along = 0;
            memcpy(b->q[i], q + i * a->q.token, dim * 2), memcpy(b->slope[i], given, dim * 2);
            for (long d = 0; d < dim; d++) along += from_narrow(given[d]) * from_narrow(out[d]);
            b->along[i] = along, b->normalizer[i] = a->normalizer[(first + i) * a->heads + head];
        }
        if (i % 2) continue;
        pair_rows(b->q_rows[i / 2], q, a->q.token, i, count, dim);
        pair_rows(b->slope_rows[i / 2], slope, s->slope.token, i, count, dim);
    }
}

/* Weights and slopes of the scores of rows i and i + 1 with `end` keys, of which row i sees `seen`. */
ALWAYS void weigh_pair(Block *b, long i, const long *seen, long end, float scale) {
    __m512 to_two = _mm512_set1_ps(scale * 1.44269504f);
    for (long j = 0; j < end; j += 16) {
        __m512i weights[2], changes[2];
        for (long r = 0; r < 2; r++) {
            long left = seen[r] - j;
            __mmask16 valid = left >= 16 ? 0xffff : left <= 0 ? 0 : (__mmask16)((1 << left) - 1);
            __m512 score = _mm512_loadu_ps(&b->scores[i + r][j]), product = _mm512_loadu_ps(&b->products[i + r][j]);
            score = _mm512_fmsub_ps(score, to_two, _mm512_set1_ps(b->normalizer[i + r]));
            __m512 weight = _mm512_maskz_mov_ps(valid, power_of_two(score));
            __m512 change = _mm512_mul_ps(weight, _mm512_sub_ps(product, _mm512_set1_ps(b->along[i + r])));
            __m256i narrow = (__m256i)_mm512_cvtneps_pbh(_mm512_mul_ps(change, _mm512_set1_ps(scale)));
            _mm256_storeu_si256((__m256i *)&b->changes_by_key[i + r][j / 2], narrow);
            changes[r] = _mm512_cvtepu16_epi32(narrow);
            weights[r] = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(weight));
        }
        _mm512_storeu_si512(&b->weights[i / 2][j], _mm512_or_si512(weights[0], _mm512_slli_epi32(weights[1], 16)));
        _mm512_storeu_si512(&b->changes[i / 2][j], _mm512_or_si512(changes[0], _mm512_slli_epi32(changes[1], 16)));
    }
}

ALWAYS void tile_slopes(Block *b, Tile *t, long seen, long step, long end, long count, float scale, long dim) {
    int rows = dim > 96 ? 2 : 4;
    for (long i = 0; i < ROWS; i += 8) {
        make_scores(b->q[i], 64, t->k_columns[0], b->scores[i], TILE, end, dim);
        make_scores(b->slope[i], 64, t->v_columns[0], b->products[i], TILE, end, dim);
    }
    for (long i = 0; i < ROWS; i += 2) {
        weigh_pair(b, i, (long[]){i < count ? seen + i * step : 0, i + 1 < count ? seen + (i + 1) * step : 0}, end, scale);
    }
    for (long j = 0; j < end; j += rows) {
        add_products(t->v[j], NULL, &b->weights[0][j], 1, TILE, b->slope_rows[0], ROWS / 2, dim, rows);
        add_products(t->k[j], NULL, &b->changes[0][j], 1, TILE, b->q_rows[0], ROWS / 2, dim, rows);
    }
    for (long i = 0; i < ROWS; i += rows) {
        add_products(b->out[i], NULL, b->changes_by_key[i], TILE / 2, 1, t->k_rows[0], end / 2, dim, rows);
    }
}

ALWAYS void slopes_of(const Slopes *s, const Attention *a, Tile *tiles, Block *b, long start, long key_head, long dim) {
    long group = a->heads / a->key_heads;
    float scale = 1 / sqrtf((float)dim);
    load_tiles(tiles, a, key_head, dim);
    for (long head = key_head * group; head < (key_head + 1) * group; head++) {
        for (long first = 0; first < a->queries; first += ROWS) {
            long count = a->queries - first < ROWS ? a->queries - first : ROWS, all = a->causal ? first + count : a->keys;
            const uint16_t *slope = s->slope.data + (start + first) * s->slope.token + head * s->slope.head;
            load_block(b, s, a, slope, head, first, count, dim);
            for (long j = 0; j < all; j += TILE) {
                long keys = all - j < TILE ? all - j : TILE, end = (keys + 31) / 32 * 32;
                tile_slopes(b, tiles + j / TILE, a->causal ? first + 1 - j : keys, a->causal, end, count, scale, dim);
            }
            for (long i = 0; i < count; i++) round_row(s->q + ((start + first + i) * a->heads + head) * dim, b->out[i], dim);
        }
    }
    for (long j = 0; j < a->keys; j++) {
        long at = ((start + j) * a->key_heads + key_head) * dim;
        round_row(s->k + at, tiles[j / TILE].k[j % TILE], dim), round_row(s->v + at, tiles[j / TILE].v[j % TILE], dim);
    }
}

void attention_slopes(const Slopes *s, const int64_t *starts, long longest, long dim) {
#pragma omp parallel if (starts[s->a.sequences] * s->a.heads * dim > MANY_NUMBERS)
    {
        Tile *tiles = aligned_alloc(64, (longest + TILE - 1) / TILE * sizeof(Tile));
        Block *b = aligned_alloc(64, (sizeof(Block) + 63) / 64 * 64);
#pragma omp for schedule(dynamic)
        for (long t = 0; t < s->a.sequences * s->a.key_heads; t++) {
            long start = starts[t / s->a.key_heads], key_head = t % s->a.key_heads;
            Attention one = sequence_of(&s->a, starts, t / s->a.key_heads, dim);
            if (dim == 32) slopes_of(s, &one, tiles, b, start, key_head, 32);
            else if (dim == 64) slopes_of(s, &one, tiles, b, start, key_head, 64);
            else if (dim == 80) slopes_of(s, &one, tiles, b, start, key_head, 80);
            else slopes_of(s, &one, tiles, b, start, key_head, 128);
        }
        free(tiles), free(b);
    }
}
#endif
