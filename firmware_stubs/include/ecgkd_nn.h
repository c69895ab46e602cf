/* ecgkd: int8 kernels for 1-D networks, bit-exact to TFLite's reference kernels, and the model that is made of them.
 *
 * Signals are [T, C] (time first, channels last), matrices [rows, columns], all contiguous unless a stride says
 * otherwise. real = scale * (integer - zero point). An `op` is a const struct that the generator writes; kernels trust
 * it and check nothing. Every kernel is re-entrant, keeps nothing between calls, and reads nothing of `scratch` that
 * it did not write in the same call. SCRATCH is 16-byte aligned, its size in bytes stands beside each struct, the same
 * on every target. Tensors may have any alignment, 16 bytes are fastest. Where "in place" is named, `out` may be the
 * very address of that input; otherwise `out` overlaps no input, and scratch overlaps nothing.
 *
 * RESCALING, one rule for all: from an int32 accumulator x to the output by `multiplier` m in {0} or [2^30, 2^31) and
 * `shift` s in [-31, 31], positive to the left:
 *     v = x * 2^max(s, 0) (modulo 2^32);  v = (v * m + 2^30) >> 31;  v = v / 2^max(-s, 0), halves away from zero;
 *     out = clamp(v + out_zero_point, low, high).
 */
#ifndef ECGKD_NN_H
#define ECGKD_NN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECGKD_ALIGNMENT 16 /* of the arena and of scratch; of weights where speed matters */
#if defined(__GNUC__)
#define ECGKD_ALIGNED __attribute__((aligned(16)))
#else
#define ECGKD_ALIGNED
#endif
#define ECGKD_PADDED(depth) (((depth) + 15) & ~15) /* length of a row of weights in memory */

typedef enum {
    ECGKD_OK = 0,
    ECGKD_ERROR_NULL,      /* a pointer is missing */
    ECGKD_ERROR_MODEL,     /* not a model, or one that was generated for another version of this header */
    ECGKD_ERROR_SIZE,      /* the arena, or a buffer, is smaller than the model says */
    ECGKD_ERROR_ALIGNMENT, /* the arena is not aligned to ECGKD_ALIGNMENT */
    ECGKD_ERROR_OVERLAP,   /* window, embedding or activity lies inside the arena or another of them */
    ECGKD_ERROR_ARGUMENT,  /* another argument is out of its range */
    ECGKD_STATUS_COUNT
} ecgkd_status_t;

/* Returns a static text, also for a number that is no status. */
const char *ecgkd_status_text(ecgkd_status_t status);

/* ---- layers: dot products with constant weights ---- */

/* outputs[o] = rescale(bias[o] + sum_k weights[o][k] * x[k]), then through `table`.
 * The input's zero point z is folded: bias[o] = layer's bias - z * sum_k weights[o][k]. Padding of a signal is z. */
typedef struct {
    const int8_t *weights;     /* [outputs][ECGKD_PADDED(depth)], -127..127, rows filled up with 0; conv: k = tap * C + c */
    const int32_t *bias;       /* [outputs] */
    const int32_t *multiplier; /* [outputs] */
    const int8_t *shift;       /* [outputs] */
    const int8_t *table;       /* NULL, or [256] applied to the result: out = table[result + 128] (GELU, logistic) */
    int32_t outputs;           /* 1.. */
    int32_t depth;             /* 1..65536, products summed for an output: taps * C */
    int16_t out_zero_point;    /* -128..127 */
    int16_t low, high;         /* -128..127 */
    int16_t quick;             /* 1 if for every o: shift[o] < 0 and |bias[o]| + 128 * sum_k |weights[o][k]| < 2^30; a
                                  layer that says 0 is slower and right as well */
} ecgkd_layer_t;

/* SCRATCH of conv1d: ECGKD_CONV1D_SCRATCH. `chunk` output steps are made at a time, 2 or more, even: on cores with
 * the DSP extension weights are unpacked once a chunk, so that 32 and more are fastest where there is memory. */
typedef struct {
    ecgkd_layer_t layer;
    int32_t in_steps, channels; /* of x [T, C] */
    int32_t taps, stride;       /* 1..; stride at most 2 * taps */
    int32_t pad_left;           /* 0..taps - 1, steps before the first */
    int32_t out_steps;          /* (T + left + right - taps) / stride + 1; right is at most taps - 1 */
    int32_t chunk;
    int16_t in_zero_point; /* fills the padding */
} ecgkd_conv1d_t;
#define ECGKD_CONV1D_SCRATCH(channels, taps, stride, chunk)                                                            \
    (2 * ECGKD_PADDED((channels) % 4 != 0 ? (chunk) * ECGKD_PADDED((taps) * (channels))                                \
                                          : ((taps) + (stride) * ((chunk) - 1)) * (channels) + 16) +                   \
     4 * ECGKD_PADDED((taps) * (channels)))
/* in [T, C], out [out_steps, outputs]. */
void ecgkd_conv1d_s8(const ecgkd_conv1d_t *op, const int8_t *in, int8_t *out, void *scratch);

/* SCRATCH of fully_connected: ECGKD_FULLY_CONNECTED_SCRATCH; `chunk` as above, of rows. */
typedef struct {
    ecgkd_layer_t layer;
    int32_t rows;
    int32_t in_stride, out_stride; /* from row to row; depth and outputs where rows are contiguous */
    int32_t chunk;
} ecgkd_fully_connected_t;
#define ECGKD_FULLY_CONNECTED_SCRATCH(depth, chunk) ((2 * (chunk) + 4) * ECGKD_PADDED(depth))
/* in [rows, depth], out [rows, outputs]. */
void ecgkd_fully_connected_s8(const ecgkd_fully_connected_t *op, const int8_t *in, int8_t *out, void *scratch);

/* out[t][c] = rescale(bias[c] + sum_k weights[k][c] * in[t * stride - pad_left + k][c]). No scratch.
 * layer.weights is [taps][channels], not padded; layer.outputs = channels, layer.depth = taps. */
typedef struct {
    ecgkd_layer_t layer;
    int32_t in_steps, taps, stride, pad_left, out_steps;
    int16_t in_zero_point;
} ecgkd_depthwise_conv1d_t;
void ecgkd_depthwise_conv1d_s8(const ecgkd_depthwise_conv1d_t *op, const int8_t *in, int8_t *out, void *scratch);

/* out[n][i][j] = rescale(sum_k (a[n][i][k] - a_zero_point) * (b - b_zero_point)), b[n][k][j], or b[n][j][k] where
 * transpose_b. Strides let heads lie side by side in one matrix: element [n][i][k] of a is at
 * n * a_batch + i * a_row + k, likewise b (row: its first matrix axis) and out. Fastest with b_zero_point 0.
 * SCRATCH: ECGKD_MATMUL_SCRATCH. */
typedef struct {
    int32_t batch, rows, inner, columns; /* inner 1..32768 */
    int32_t a_batch, a_row;
    int32_t b_batch, b_row;
    int32_t out_batch, out_row;
    int32_t multiplier;
    int16_t shift;
    int16_t a_zero_point, b_zero_point, out_zero_point; /* -128..127 */
    int16_t low, high;
    int16_t transpose_b; /* 0 or 1 */
} ecgkd_matmul_t;
#define ECGKD_MATMUL_SCRATCH(rows, inner, columns)                                                                     \
    ((2 * (rows) + (columns) + 4) * ECGKD_PADDED(inner) + 16 * (((columns) + 3) / 4))
void ecgkd_matmul_s8(const ecgkd_matmul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch);

/* ---- rows ---- */

/* Scale 1/256, zero point -128 out. table[d] = exp(-scale * d) as Q0.31 as the reference kernel computes it, 0 where
 * it leaves the value out; table[0] = 2^31 - 1. In place. SCRATCH: ECGKD_SOFTMAX_SCRATCH(width). */
typedef struct {
    const int32_t *table; /* [256] */
    int32_t rows;
    int32_t width; /* 1..511 */
} ecgkd_softmax_t;
#define ECGKD_SOFTMAX_SCRATCH(width) (4 * ECGKD_PADDED(width))
void ecgkd_softmax_s8(const ecgkd_softmax_t *op, const int8_t *in, int8_t *out, void *scratch);

/* x / sqrt(sum x^2) of each row, scale 1/128, zero point 0 out; a row of zeros stays zero. In place. No scratch. */
typedef struct {
    int32_t rows;
    int32_t width;      /* 1..32768 */
    int16_t zero_point; /* -128..127, of the input */
} ecgkd_l2_norm_t;
void ecgkd_l2_norm_s8(const ecgkd_l2_norm_t *op, const int8_t *in, int8_t *out, void *scratch);

/* Over the middle axis of [outer, count, inner]: out [outer, inner]. Over time: outer 1, count T, inner C; over
 * channels: outer T, count C, inner 1. out = rescale(sum x - in_zero_point * count), the mean's 1 / count is in the
 * multiplier, which need not be normalised: 0..2^31-1. count 1..2^22. SCRATCH: ECGKD_MEAN_SCRATCH(inner). */
typedef struct {
    int32_t outer, count, inner;
    int32_t multiplier;
    int16_t shift;
    int16_t in_zero_point, out_zero_point;
    int16_t low, high;
} ecgkd_mean_t;
#define ECGKD_MEAN_SCRATCH(inner) (4 * ECGKD_PADDED(inner))
void ecgkd_mean_s8(const ecgkd_mean_t *op, const int8_t *in, int8_t *out, void *scratch);

/* The largest over the middle axis, as above. No scratch. */
typedef struct {
    int32_t outer, count, inner;
} ecgkd_reduce_max_t;
void ecgkd_reduce_max_s8(const ecgkd_reduce_max_t *op, const int8_t *in, int8_t *out, void *scratch);

/* The largest of `size` steps of [T, C]; padding never wins. No scratch. */
typedef struct {
    int32_t in_steps, channels;
    int32_t size, stride, pad_left;
    int32_t out_steps; /* every window holds at least one step of the input */
} ecgkd_max_pool_t;
void ecgkd_max_pool_s8(const ecgkd_max_pool_t *op, const int8_t *in, int8_t *out, void *scratch);

/* ---- single values ---- */

/* out = table[in + 128]: GELU, logistic, 1/sqrt, ReLU, one int8 scale to another, the square of a tensor (mul of a
 * tensor by itself): everything that is a function of one int8. In place. No scratch. */
typedef struct {
    const int8_t *table; /* [256], that of -128 first */
    int32_t count;
} ecgkd_lookup_t;
void ecgkd_lookup_s8(const ecgkd_lookup_t *op, const int8_t *in, int8_t *out, void *scratch);

/* Where two tensors meet: out is [rows, columns]; element [r][c] of an input is at r * row + c * column, with
 * column 1 or 0 (one value for the whole row) and row 0 (one row for all) or any distance. */
typedef struct {
    int32_t rows, columns;
    int32_t a_row, a_column; /* both inputs contiguous and whole: best written as one row of rows * columns */
    int32_t b_row, b_column;
} ecgkd_broadcast_t;

/* Sum or difference: each input (x - zero point) * 2^20 rescaled by its own multiplier, added, rescaled to the output.
 * In place in a or b, where that has the output's shape and is contiguous. SCRATCH: ECGKD_ADD_SCRATCH. */
typedef struct {
    ecgkd_broadcast_t shape;
    int32_t a_multiplier, b_multiplier, out_multiplier;
    int16_t a_shift, b_shift, out_shift;                /* at most 0 each: -31..0 */
    int16_t a_zero_point, b_zero_point, out_zero_point; /* -128..127 */
    int16_t low, high;
} ecgkd_add_t;
#define ECGKD_ADD_SCRATCH 2048
void ecgkd_add_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch);
void ecgkd_sub_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch); /* a - b */

/* out = rescale((a - a_zero_point) * (b - b_zero_point)). In place as add. No scratch. */
typedef struct {
    ecgkd_broadcast_t shape;
    int32_t multiplier;
    int16_t shift;
    int16_t a_zero_point, b_zero_point, out_zero_point;
    int16_t low, high;
} ecgkd_mul_t;
void ecgkd_mul_s8(const ecgkd_mul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch);

/* A sum of a running stream and what rounding takes from it, four operators in one pass over `count` values:
 *     added = branch + carry  (op->added; NULL: added = branch)
 *     out   = x + added       (op->sum)
 *     taken = out - x         (op->taken, sub)        only where carry_out is not NULL
 *     carry_out = added - taken (op->carry, sub)      only where carry_out is not NULL
 * The shapes inside the four are not read. out may be x, branch or carry; carry_out may be carry or branch; out is not
 * carry_out. carry is not read where op->added is NULL. SCRATCH: ECGKD_CARRY_SCRATCH. */
typedef struct {
    int32_t count;
    const ecgkd_add_t *added, *sum, *taken, *carry;
} ecgkd_carry_t;
#define ECGKD_CARRY_SCRATCH 8192
void ecgkd_carry_s8(const ecgkd_carry_t *op, const int8_t *x, const int8_t *branch, const int8_t *carry, int8_t *out,
                    int8_t *carry_out, void *scratch);

/* ---- moving ---- */

/* Transpose, slice, one input of a concat: out[sum_d i_d * out_stride[d]] = in[sum_d i_d * in_stride[d]]. The caller
 * adds the first element's offset to the pointers. Rank below 4: leading sizes 1. No scratch. */
typedef struct {
    int32_t size[4];
    int32_t in_stride[4], out_stride[4];
} ecgkd_copy_t;
void ecgkd_copy_s8(const ecgkd_copy_t *op, const int8_t *in, int8_t *out, void *scratch);

/* ---- models ---- */

#define ECGKD_MODEL_MAGIC 0x65634b44u /* "ecKD" */
#define ECGKD_MODEL_ABI 2u            /* of every struct in this file */

/* A generated network. It has one output, the embedding, or two: activity, scores (logits) of what the wearer does,
 * the larger the likelier. A score is (q - activity_zero_point) * activity_scale / 2^24. */
typedef struct {
    uint32_t magic, abi;         /* ECGKD_MODEL_MAGIC, ECGKD_MODEL_ABI */
    const char *name;            /* of the artefact */
    const char *embedding_space; /* 64 hex digits: what templates are bound to */
    uint32_t window_size;        /* bytes, int8 [leads][samples] in front-end steps: all of a lead, then the next */
    uint32_t embedding_size;     /* bytes, int8 [width], zero point 0, of any length: normalise before comparing */
    uint32_t activity_size;      /* bytes, int8 [activities]; 0: the network tells none */
    int32_t activity_zero_point; /* -128..127 */
    uint32_t activity_scale;     /* Q24, 1..2^31 - 1 */
    const char *const *activity_names; /* [activities]; NULL: they have none */
    uint32_t arena_size;         /* bytes */
    uint32_t weights_size;       /* bytes of const tables */
    /* Sizes and alignment are checked before. */
    void (*forward)(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *arena);
} ecgkd_model_t;

/* Returns ECGKD_OK where `model` is one that this library can run. */
ecgkd_status_t ecgkd_model_check(const ecgkd_model_t *model);

/* Writes embedding and activity of one window. `activity` is NULL where nobody wants it, which spares the calls that
 * nothing else needs, or where the network tells none. `arena` has arena_size bytes, at least model->arena_size, aligned
 * to ECGKD_ALIGNMENT; its content need not be kept between calls. The buffers overlap neither it nor each other. */
ecgkd_status_t ecgkd_model_run(const ecgkd_model_t *model, const int8_t *window, int8_t *embedding, int8_t *activity,
                               void *arena, size_t arena_size);

#ifdef __cplusplus
}
#endif

#endif
