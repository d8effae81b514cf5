/* Products of a matrix with a few vectors, at the speed of reading the matrix.

   Where the processor multiplies bfloat16, weights of four bits become bfloat16 by a table and meet a bfloat16 x as it is.
   Weights of eight bits, and all with a float32 x, are multiplied as bytes (VNNI): x is in fixed point, one scale for each
   128 of its numbers and 14 bits for each number, as 128 * high + low; that is finer than bfloat16.

   Four or eight rows at once share what is read of x. Memory is asked for early, into the second-level cache: so much
   arithmetic stands between two reads that the processor on its own has too few of them under way. */

#include <math.h>
#include <stdlib.h>
#include "few_rows.h"
#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__) && !defined(PLAIN)
#include <immintrin.h>
#define VNNI 1
#endif
#if defined(VNNI) && defined(__AVX512BF16__)
#define BF16 1
#endif

enum { AS_IS, FIXED8, FIXED4, NARROW4, NARROW16 };

/* 128 numbers of x. Fixed point: bytes stand as the matrix has them, for four bits the even ones, then the odd ones;
   `start` is what a lane begins with, since the instruction takes the matrix's numbers unsigned: 8 or 128 too large. Narrow:
   bfloat16, for four bits numbers 0, 4, 8 ..., then 1, 5, 9 ... Plain: as they are. `sums` are those of the eight numbers
   that meet in one lane. */
typedef struct {
    union {
        struct {
            int8_t high[CHUNK], low[CHUNK];
        };
        uint16_t narrow[CHUNK];
        float plain[CHUNK];
    };
    int32_t start[16];
    float sums[16], scale, unused[15];
} Input;

ALWAYS long mode_of(const Matrix *m, long narrow) {
#ifdef BF16
    if (narrow && m->bits != 8) return m->bits == 4 ? NARROW4 : NARROW16;
#endif
#ifdef VNNI
    if (m->bits != 16) return m->bits == 8 ? FIXED8 : FIXED4;
#endif
    (void)m, (void)narrow;
    return AS_IS;
}

long input_bytes(long columns) { return CHUNKS(columns) * (long)sizeof(Input); }

static void to_fixed(const float *restrict x, Input *restrict out, long bits) {
    float largest = 0;
    int16_t numbers[CHUNK], ordered[CHUNK];
    for (long i = 0; i < CHUNK; i++) largest = fmaxf(largest, fabsf(x[i]));
    out->scale = largest / 16256; /* 127 * 128 */
    float inverse = largest > 0 ? 16256 / largest : 0;
    for (long i = 0; i < CHUNK; i++) numbers[i] = (int16_t)rintf(x[i] * inverse);
    if (bits == 4) {
        for (long i = 0; i < 64; i++) ordered[i] = numbers[2 * i], ordered[64 + i] = numbers[2 * i + 1];
    } else {
        memcpy(ordered, numbers, sizeof numbers);
    }
    for (long i = 0; i < CHUNK; i++) {
        int16_t high = (int16_t)((ordered[i] + 64) >> 7);
        out->high[i] = (int8_t)high;
        out->low[i] = (int8_t)(ordered[i] - high * 128);
    }
    for (long lane = 0; lane < 16; lane++) {
        int32_t sum = 0;
        for (long i = 4 * lane; i < 4 * lane + 4; i++) sum += ordered[i] + ordered[64 + i];
        out->sums[lane] = (float)sum, out->start[lane] = -sum * (bits == 4 ? 8 : 128);
    }
}

/* Numbers `first` to `end` of x; `first` begins a chunk. */
void prepare_input(const Matrix *m, const float *x, void *out, long first, long end, long narrow) {
    long mode = mode_of(m, narrow);
    for (long c = first / CHUNK; c < CHUNKS(end); c++) {
        const float *from = x + c * CHUNK;
        Input *to = (Input *)out + c;
        if (mode == AS_IS) memcpy(to->plain, from, sizeof to->plain);
        if (mode == FIXED8 || mode == FIXED4) to_fixed(from, to, m->bits);
        if (mode < NARROW4) continue;
        uint16_t numbers[CHUNK];
        for (long i = 0; i < CHUNK; i++) numbers[i] = to_narrow(from[i]);
        if (mode == NARROW16) {
            memcpy(to->narrow, numbers, sizeof numbers);
            continue;
        }
        for (long i = 0; i < 32; i++) {
            for (long s = 0; s < 4; s++) to->narrow[32 * s + i] = numbers[4 * i + s];
        }
        for (long lane = 0; lane < 16 && m->zeros; lane++) {
            float sum = 0;
            for (long i = 0; i < 8; i++) sum += from[8 * lane + i];
            to->sums[lane] = sum;
        }
    }
}

static void plain_rows(const Matrix *m, const Input *x, float *out, long step, long count, long first, long end) {
    for (long r = first; r < end; r++) {
        float values[CHUNK];
        for (long n = 0; n < count; n++) out[n * step + r] = 0;
        for (long c = 0; c < CHUNKS(m->columns); c++) {
            long size = m->columns - c * CHUNK < CHUNK ? m->columns - c * CHUNK : CHUNK;
            widen_chunk(m, r, c * CHUNK, values);
            for (long n = 0; n < count; n++) {
                const float *v = x[n * CHUNKS(m->columns) + c].plain;
                float sum = 0;
                for (long i = 0; i < size; i++) sum += values[i] * v[i];
                out[n * step + r] += sum;
            }
        }
    }
}

#ifdef VNNI
ALWAYS __m512i words(const void *from) { return _mm512_loadu_si512(from); }

#ifdef BF16
ALWAYS __m512bh narrow_words(const void *from) { return (__m512bh)words(from); } /* cast once: GCC 12 casts through memory */

ALWAYS __m512 add_pairs(__m512 sum, __m512bh a, const uint16_t *b) { return _mm512_dpbf16_ps(sum, a, narrow_words(b)); }

/* -8 to 7 in bfloat16, twice: of an index only the lowest five bits count, and the fifth is another number's. */
static const uint16_t NUMBERS[32] = {0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80, 0, 0x3f80, 0x4000,
                                     0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0, 0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040,
                                     0xc000, 0xbf80, 0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0};
#endif

/* Sixteen sums of 128 products in the units of the matrix's numbers, for each of `count` vectors. */
ALWAYS void chunk_products(const uint8_t *from, long ahead, const Input *x, long apart, __m512 *out, const int count,
                           const int mode) {
    __m512i a[4];
    a[0] = words(from);
    __builtin_prefetch(from + ahead, 0, 2);
#ifdef BF16
    if (mode == NARROW4) {
        const __m512i table = words(NUMBERS);
        __m512bh pairs[4];
        for (int i = 0; i < 4; i++) pairs[i] = (__m512bh)_mm512_permutexvar_epi16(_mm512_srli_epi16(a[0], 4 * i), table);
        for (int n = 0; n < count; n++) {
            const uint16_t *v = x[n * apart].narrow;
            __m512 first = add_pairs(add_pairs(_mm512_setzero_ps(), pairs[0], v), pairs[1], v + 32);
            out[n] = _mm512_add_ps(first, add_pairs(add_pairs(_mm512_setzero_ps(), pairs[2], v + 64), pairs[3], v + 96));
        }
        return;
    }
#endif
    if (mode == FIXED4) {
        const __m512i half = _mm512_set1_epi8(15);
        a[1] = _mm512_and_si512(_mm512_srli_epi16(a[0], 4), half);
        a[0] = _mm512_and_si512(a[0], half);
    } else { /* 128 is added: the instruction wants them unsigned */
        const __m512i more = _mm512_set1_epi8((char)0x80);
        __builtin_prefetch(from + ahead + 64, 0, 2);
        a[1] = _mm512_xor_si512(words(from + 64), more);
        a[0] = _mm512_xor_si512(a[0], more);
    }
    for (int n = 0; n < count; n++) {
        const Input *v = x + n * apart;
        __m512i high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), a[0], words(v->high));
        __m512i low = _mm512_dpbusd_epi32(words(v->start), a[0], words(v->low));
        high = _mm512_dpbusd_epi32(high, a[1], words(v->high + 64));
        low = _mm512_dpbusd_epi32(low, a[1], words(v->low + 64));
        out[n] = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
    }
}

ALWAYS __m512 pick(__m512i places, __m512 from) { return _mm512_permutexvar_ps(places, from); }

#ifdef BF16
/* As `few_rows`, for weights of sixteen bits: what is read of a vector serves all rows. */
ALWAYS void few_narrow_rows(const Matrix *m, long r, const Input *x, float *out, long step, const int rows, const int count) {
    long stride = 2 * m->columns, ahead = (8191 / (rows * stride) + 1) * rows * stride, chunks = CHUNKS(m->columns);
    const uint8_t *w = m->w + r * stride;
    __m512 total[16];
    for (int n = 0; n < rows * count; n++) total[n] = _mm512_setzero_ps();
    for (long c = 0; c < chunks; c++) {
        const uint16_t *v = x[c].narrow, *other = x[(count - 1) * chunks + c].narrow;
        for (long at = c * CHUNK; at < m->columns && at < (c + 1) * CHUNK; at += 32, v += 32, other += 32) {
            __m512bh inputs[2] = {narrow_words(v), narrow_words(other)};
#pragma GCC unroll 8
            for (int k = 0; k < rows; k++) {
                __m512bh row = narrow_words(w + k * stride + 2 * at);
                __builtin_prefetch(w + k * stride + 2 * at + ahead, 0, 2);
                for (int n = 0; n < count; n++) total[k * count + n] = _mm512_dpbf16_ps(total[k * count + n], row, inputs[n]);
            }
        }
    }
    for (int k = 0; k < rows; k++) {
        for (int n = 0; n < count; n++) out[n * step + r + k] = _mm512_reduce_add_ps(total[k * count + n]);
    }
}
#endif

/* `rows` rows from r on times `count` vectors. Up to sixteen scales of a row are read at a time, those of four chunks. */
ALWAYS void few_rows(const Matrix *m, long r, const Input *x, float *out, long step, const int rows, const int count,
                     const int mode, const int zeros) {
#ifdef BF16
    if (mode == NARROW16) {
        few_narrow_rows(m, r, x, out, step, rows, count);
        return;
    }
#endif
    long chunks = m->columns / CHUNK, stride = m->columns * m->bits / 8, groups = m->columns / m->group;
    long shift = groups == 1 ? 62 : __builtin_ctzl((unsigned long)m->group);
    long ahead = (8191 / (rows * stride) + 1) * rows * stride; /* where a later call reads, at least 8 KiB on */
    const uint8_t *w = m->w + r * stride;
    const uint16_t *scales = m->scales + r * groups;
    const uint8_t *zero_points = m->zeros + r * groups;
    __m512i places[4];
    for (int i = 0; i < 4; i++) {
        int lanes[16];
        for (int lane = 0; lane < 16; lane++) lanes[lane] = (i * CHUNK + lane * 8) >> shift;
        places[i] = words(lanes);
    }
    __m512 total[16];
    for (int n = 0; n < rows * count; n++) total[n] = _mm512_setzero_ps();
    for (long c = 0; c < chunks; c += 4) {
        long left = chunks - c < 4 ? chunks - c : 4, g = c * CHUNK >> shift;
        __mmask16 valid = (__mmask16)((2u << ((left * CHUNK - 1) >> shift)) - 1);
        __m512 scale[4], zero[4];
        for (int k = 0; k < rows; k++) {
            scale[k] = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(valid, scales + k * groups + g));
            if (!zeros) continue;
            __m512i read = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(valid, zero_points + k * groups + g));
            zero[k] = _mm512_sub_ps(_mm512_cvtepi32_ps(read), _mm512_set1_ps(8));
        }
#pragma GCC unroll 4
        for (long i = 0; i < left; i++) {
#pragma GCC unroll 8
            for (int k = 0; k < rows; k++) {
                __m512 dots[4], each = pick(places[i], scale[k]);
                chunk_products(w + k * stride + (c + i) * 16 * m->bits, ahead, x + c + i, chunks, dots, count, mode);
                for (int n = 0; n < count; n++) {
                    const Input *v = x + n * chunks + c + i;
                    __m512 *sum = &total[k * count + n];
                    if (zeros) dots[n] = _mm512_fnmadd_ps(pick(places[i], zero[k]), _mm512_loadu_ps(v->sums), dots[n]);
                    __m512 factor = mode == NARROW4 ? each : _mm512_mul_ps(each, _mm512_set1_ps(v->scale));
                    *sum = _mm512_fmadd_ps(dots[n], factor, *sum);
                }
            }
        }
    }
    for (int k = 0; k < rows; k++) {
        for (int n = 0; n < count; n++) out[n * step + r + k] = _mm512_reduce_add_ps(total[k * count + n]);
    }
}

#define SHAPES(mode, zeros, block)                                                             \
    for (long r = first; r < end; r += block) {                                                \
        long n = 0, last = end - r < block ? end : r + block;                                  \
        for (; n + 2 <= count && last == r + block; n += 2) ROWS(r, block, 2, mode, zeros);    \
        if (n < count && last == r + block) ROWS(r, block, 1, mode, zeros), n++;               \
        for (; n < count; n++)                                                                 \
            for (long k = r; k < last; k++) ROWS(k, 1, 1, mode, zeros);                        \
    }
#define ROWS(row, number, vectors, mode, zeros) \
    few_rows(m, row, x + n * chunks, out + n * step, step, number, vectors, mode, zeros)
#endif

void multiply_rows(const Matrix *m, const void *input, float *out, long step, long count, long first, long end, long narrow) {
    long mode = mode_of(m, narrow);
    const Input *x = input;
    if (mode == AS_IS) plain_rows(m, x, out, step, count, first, end);
#ifdef VNNI
    long chunks = CHUNKS(m->columns);
    if (mode == FIXED8) SHAPES(FIXED8, 0, 4)
    else if (mode == FIXED4 && m->zeros) SHAPES(FIXED4, 1, 4)
    else if (mode == FIXED4) SHAPES(FIXED4, 0, 4)
#ifdef BF16
    else if (mode == NARROW16) SHAPES(NARROW16, 0, 8)
    else if (mode == NARROW4 && m->zeros) SHAPES(NARROW4, 1, 4)
    else if (mode == NARROW4) SHAPES(NARROW4, 0, 4)
#endif
#endif
}

/* out (count, rows) = x (count, inputs) times the matrix; x is float32 with `wide`, else bfloat16. */
void quantized_rows(const Matrix *m, const void *x, float *out, long count, long inputs, long wide) {
    long size = input_bytes(m->columns);
    char *input = aligned_alloc(64, (count * size + 63) / 64 * 64);
    float *row = calloc(CHUNKS(m->columns) * CHUNK, sizeof(float));
    for (long n = 0; n < count; n++) {
        if (wide) memcpy(row, (const float *)x + n * inputs, inputs * sizeof(float));
        else
            for (long i = 0; i < inputs; i++) row[i] = from_narrow(((const uint16_t *)x)[n * inputs + i]);
        prepare_input(m, row, input + n * size, 0, m->columns, !wide);
    }
    long parts = (m->rows + 63) / 64;
#pragma omp parallel for schedule(static) if (MATRIX_BYTES(m) > MANY_BYTES)
    for (long i = 0; i < parts; i++) {
        multiply_rows(m, input, out, m->rows, count, 64 * i, 64 * i + 64 < m->rows ? 64 * i + 64 : m->rows, !wide);
    }
    free(row), free(input);
}
