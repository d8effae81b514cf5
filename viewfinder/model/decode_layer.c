/* A layer of the language model for a few tokens that decode.

   One call takes the place of some thirty of PyTorch's, each of which costs more than the little arithmetic in it. Sums and
   the residual are float32; queries, keys, values and inputs of products are rounded as activations are. */

#include <stdlib.h>
#include "few_rows.h"
#include "paged_attention.h"

typedef struct {
    Matrix products[7];                /* queries, keys, values, output, gate, up, down */
    const void *biases[3], *norms[2]; /* of queries, keys and values; may be NULL */
    long heads, key_heads, dim, wide, wide_parameters; /* wide: float32, else bfloat16 */
    float epsilon;
} Layer;

/* A chunk more: products read whole chunks. */
static void *room(long bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64 + CHUNK * sizeof(float)); }

ALWAYS float number(const void *x, long at, long wide) {
    return wide ? ((const float *)x)[at] : from_narrow(((const uint16_t *)x)[at]);
}

ALWAYS void store(const float *restrict from, void *restrict x, long at, long count, long wide) {
    if (wide) memcpy((float *)x + at, from, count * sizeof(float));
    for (long i = 0; i < count && !wide; i++) ((uint16_t *)x)[at + i] = to_narrow(from[i]);
}

ALWAYS void normalize(const float *restrict x, float *restrict out, const void *weight, const Layer *l) {
    long width = l->products[0].columns;
    float sum = 0;
    for (long i = 0; i < width; i++) sum += x[i] * x[i];
    float inverse = 1 / sqrtf(sum / (float)width + l->epsilon);
    for (long i = 0; i < width; i++) out[i] = x[i] * inverse * number(weight, i, l->wide_parameters);
}

/* Each of `number` matrices of one input times all vectors; vector n's products stand side by side from out + n * step on. */
static void multiply(const Matrix *m, long number, const void *input, float *out, long step, long count, long narrow) {
    long bytes = 0;
    for (long i = 0; i < number; i++) bytes += MATRIX_BYTES(m + i);
#pragma omp parallel if (bytes > MANY_BYTES)
    for (long i = 0, at = 0; i < number; at += m[i++].rows) {
        long parts = (m[i].rows + 31) / 32;
#pragma omp for schedule(static) nowait
        for (long part = 0; part < parts; part++) {
            long first = 32 * part, end = first + 32 < m[i].rows ? first + 32 : m[i].rows;
            multiply_rows(m + i, input, out + at, step, count, first, end, narrow);
        }
    }
}

/* Queries, keys and values of x (count, width), turned by cosines and sines (count, dim / 2): queries to q (count, heads, dim),
   the others into the cache. */
static void before_attention(const Layer *l, const Paged *p, const float *cosine, const float *sine, const void *x, void *memory,
                             float *scales, void *q) {
    long count = p->rows, width = l->products[0].columns, half = l->dim / 2, size = input_bytes(width);
    long sizes[3] = {l->heads, l->key_heads, l->key_heads}, step = (l->heads + 2 * l->key_heads) * l->dim;
    float *row = room(2 * width * sizeof(float)), *sums = room(count * step * sizeof(float));
    char *input = room(count * size);
    for (long n = 0; n < count; n++) {
        for (long i = 0; i < width; i++) row[i] = number(x, n * width + i, l->wide);
        normalize(row, row + width, l->norms[0], l);
        prepare_input(l->products, row + width, input + n * size, 0, width, !l->wide);
    }
    multiply(l->products, 3, input, sums, step, count, !l->wide);
    for (long n = 0; n < count; n++) {
        float *at = sums + n * step, turned[half * 2];
        const float *c = cosine + n * half, *s = sine + n * half;
        for (long kind = 0; kind < 3; kind++) {
            for (long h = 0; h < sizes[kind]; h++, at += l->dim) {
                for (long i = 0; i < l->dim && l->biases[kind]; i++) {
                    at[i] += number(l->biases[kind], h * l->dim + i, l->wide_parameters);
                }
                for (long i = 0; i < half && kind < 2; i++) {
                    turned[i] = at[i] * c[i] - at[half + i] * s[i];
                    turned[half + i] = at[half + i] * c[i] + at[i] * s[i];
                }
                float *made = kind < 2 ? turned : at;
                if (kind == 0) store(made, q, (n * l->heads + h) * l->dim, l->dim, l->wide);
                if (kind == 0) continue;
                for (long i = 0; i < l->dim && !l->wide; i++) made[i] = from_narrow(to_narrow(made[i]));
                paged_write(p, memory, scales, n, kind - 1, h, made);
            }
        }
    }
    free(row), free(sums), free(input);
}

/* x (count, width) becomes what the layer gives, from what attention gave. */
static void after_attention(const Layer *l, const void *attended, void *x, long count) {
    const Matrix *output = l->products + 3, *down = l->products + 6;
    long width = down->rows, middle = l->products[4].rows, narrow = !l->wide;
    long size = input_bytes(output->columns > width ? output->columns : width), long_size = input_bytes(down->columns);
    float *row = room((output->columns + width) * sizeof(float)), *sums = room(count * width * sizeof(float));
    float *gates = room(count * (2 * middle > width ? 2 * middle : width) * sizeof(float)); /* of both, then what is added */
    char *input = room(count * (size > long_size ? size : long_size));
    for (long n = 0; n < count; n++) {
        for (long i = 0; i < output->columns; i++) row[i] = number(attended, n * output->columns + i, l->wide);
        prepare_input(output, row, input + n * input_bytes(output->columns), 0, output->columns, narrow);
    }
    multiply(output, 1, input, sums, width, count, narrow);
    for (long n = 0; n < count; n++) {
        for (long i = 0; i < width; i++) sums[n * width + i] += number(x, n * width + i, l->wide);
        normalize(sums + n * width, row, l->norms[1], l);
        prepare_input(l->products + 4, row, input + n * input_bytes(width), 0, width, narrow);
    }
    multiply(l->products + 4, 2, input, gates, 2 * middle, count, narrow);
#pragma omp parallel for schedule(static) if (count * middle * (long)sizeof(float) > MANY_BYTES)
    for (long i = 0; i < count * CHUNKS(middle); i++) {
        long n = i / CHUNKS(middle), c = i % CHUNKS(middle) * CHUNK;
        float *gate = gates + 2 * n * middle, *up = gate + middle;
        for (long j = c; j < c + CHUNK && j < middle; j++) gate[j] = silu(gate[j]) * up[j];
        prepare_input(down, gate, input + n * long_size, c, c + CHUNK, narrow);
    }
    float *ends = gates; /* free once its products have been prepared */
    multiply(down, 1, input, ends, width, count, narrow);
    for (long n = 0; n < count; n++) {
        for (long i = 0; i < width; i++) sums[n * width + i] += ends[n * width + i];
        store(sums + n * width, x, n * width, width, l->wide);
    }
    free(row), free(sums), free(gates), free(input);
}

/* x (rows, width) becomes what the layer gives; its keys and values are written to the cache. */
void decode_layer(const Layer *l, const Paged *p, const float *cosine, const float *sine, void *x, void *memory, float *scales) {
    long bytes = p->rows * l->heads * l->dim * (l->wide ? 4 : 2);
    char *q = room(bytes), *attended = room(bytes);
    before_attention(l, p, cosine, sine, x, memory, scales, q);
    paged_attention(p, memory, scales, q, attended, l->heads / l->key_heads, l->wide);
    after_attention(l, attended, x, p->rows);
    free(q), free(attended);
}
