/* Runs every kernel on its golden vectors: three times on the same scratch, which is never cleaned, at three
 * alignments, and once in place where that is allowed. Prints each first wrong byte and a summary; returns 0 or 1. */
#include <stdio.h>
#include <string.h>

#include "ecgkd_nn.h"

#define LARGEST 16384
#define GUARD 16
#define DIRT 0x5a

typedef struct {
    const char *name;
    void (*run)(const void *op, const int8_t *const *in, int8_t *out, int8_t *second, void *scratch);
    const void *op;
    const int8_t *in[3];
    int32_t in_size[3];
    const int8_t *expected, *second; /* second: NULL where there is one output */
    int32_t out_size;
    int32_t scratch_size;
    int32_t in_place; /* bit n: input n may be the output */
} case_t;

#define ONE_INPUT(op)                                                                                                  \
    static void run_##op(const void *of, const int8_t *const *in, int8_t *out, int8_t *second, void *scratch)          \
    {                                                                                                                  \
        (void)second;                                                                                                  \
        ecgkd_##op##_s8(of, in[0], out, scratch);                                                                      \
    }
#define TWO_INPUTS(op)                                                                                                 \
    static void run_##op(const void *of, const int8_t *const *in, int8_t *out, int8_t *second, void *scratch)          \
    {                                                                                                                  \
        (void)second;                                                                                                  \
        ecgkd_##op##_s8(of, in[0], in[1], out, scratch);                                                               \
    }
ONE_INPUT(conv1d)
ONE_INPUT(depthwise_conv1d)
ONE_INPUT(fully_connected)
TWO_INPUTS(matmul)
ONE_INPUT(softmax)
ONE_INPUT(l2_norm)
ONE_INPUT(mean)
ONE_INPUT(reduce_max)
ONE_INPUT(max_pool)
ONE_INPUT(lookup)
TWO_INPUTS(add)
TWO_INPUTS(sub)
TWO_INPUTS(mul)
ONE_INPUT(copy)

static void run_carry(const void *op, const int8_t *const *in, int8_t *out, int8_t *second, void *scratch)
{
    ecgkd_carry_s8(op, in[0], in[1], in[2], out, second, scratch);
}

#include "vectors/all.h"

static int8_t inputs[3][LARGEST + 32] ECGKD_ALIGNED;
static int8_t outputs[2][LARGEST + 64] ECGKD_ALIGNED;
static uint8_t scratch[LARGEST + 32] ECGKD_ALIGNED; /* ends where the array ends, as far as its alignment allows */

static int differs(const case_t *c, const char *how, const int8_t *expected, const int8_t *actual)
{
    for (int32_t i = 0; i < c->out_size; i++) {
        if (actual[i] != expected[i]) {
            printf("%s, %s: byte %ld is %d, expected %d\n", c->name, how, (long)i, actual[i], expected[i]);
            return 1;
        }
    }
    return 0;
}

static int touched(const case_t *c, const char *how, const char *what, const int8_t *guard, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        if (guard[i] != DIRT) {
            printf("%s, %s: wrote outside %s\n", c->name, how, what);
            return 1;
        }
    }
    return 0;
}

/* Inputs and outputs are `offset` bytes behind a 16-byte boundary; with `place` 0, 1, 2 that input is the output. */
static int once(const case_t *c, const char *how, int32_t offset, int32_t place)
{
    const int8_t *in[3] = {NULL, NULL, NULL};
    for (int n = 0; n < 3; n++) {
        if (c->in[n] != NULL && offset == 0 && place < 0) {
            in[n] = c->in[n]; /* the array itself, so that a sanitiser sees what is read beside it */
        } else if (c->in[n] != NULL) {
            memcpy(inputs[n] + offset, c->in[n], (size_t)c->in_size[n]);
            in[n] = inputs[n] + offset;
        }
    }
    memset(outputs, DIRT, sizeof outputs);
    int8_t *out = place < 0 ? outputs[0] + GUARD + offset : inputs[place] + offset;
    int8_t *second = c->second == NULL ? NULL : outputs[1] + GUARD + offset;
    if (place >= 0 && c->second != NULL && c->in[2] != NULL) {
        second = inputs[2] + offset;
    }
    const int32_t start = (LARGEST + 32 - c->scratch_size) & ~15;
    uint8_t *room = scratch + start;
    c->run(c->op, in, out, second, c->scratch_size > 0 ? room : NULL);
    int wrong = differs(c, how, c->expected, out);
    if (place < 0) {
        wrong |= touched(c, how, "the output", outputs[0], GUARD + offset);
        wrong |= touched(c, how, "the output", out + c->out_size, GUARD);
    }
    return wrong | (second != NULL && differs(c, how, c->second, second));
}

static int check(const case_t *c)
{
    static const char *const places[3] = {"in place of input 0", "in place of input 1", "in place of input 2"};
    memset(scratch, DIRT, sizeof scratch);
    int wrong = once(c, "first call", 0, -1);
    wrong |= once(c, "second call", 1, -1);
    wrong |= once(c, "third call", 4, -1);
    const int32_t start = (LARGEST + 32 - c->scratch_size) & ~15;
    const int32_t end = start + c->scratch_size;
    wrong |= touched(c, "any call", "scratch", (const int8_t *)scratch, start);
    wrong |= touched(c, "any call", "scratch", (const int8_t *)scratch + end, LARGEST + 32 - end);
    for (int n = 0; n < 3; n++) {
        if (c->in_place >> n & 1) {
            wrong |= once(c, places[n], 0, n);
            wrong |= once(c, places[n], 3, n);
        }
    }
    return wrong;
}

/* A model of the simplest kind: it hands its window through the arena. */
static void forward(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *arena)
{
    memcpy(arena, window, 8);
    memcpy(embedding, arena, 8);
    if (activity != NULL)
        memcpy(activity, arena, 3);
}

static int refusals(void)
{
    static uint8_t arena[64] ECGKD_ALIGNED;
    static const ecgkd_model_t good = {
        .magic = ECGKD_MODEL_MAGIC, .abi = ECGKD_MODEL_ABI, .name = "m", .embedding_space = "0", .window_size = 8,
        .embedding_size = 8, .arena_size = 32, .weights_size = 0, .forward = forward};
    const int8_t window[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int8_t embedding[8], activity[3] = {0};
    ecgkd_model_t other_abi = good, no_forward = good, both = good, no_scale = good, far_zero = good;
    other_abi.abi++;
    no_forward.forward = NULL;
    both.activity_size = no_scale.activity_size = far_zero.activity_size = 3;
    both.activity_scale = far_zero.activity_scale = 1u << 24;
    far_zero.activity_zero_point = 128;
    int8_t *inside = (int8_t *)arena + 4;
    const struct {
        const char *what;
        ecgkd_status_t actual, expected;
    } tries[] = {
        {"a good model", ecgkd_model_run(&good, window, embedding, NULL, arena, 32), ECGKD_OK},
        {"no model", ecgkd_model_run(NULL, window, embedding, NULL, arena, 32), ECGKD_ERROR_NULL},
        {"no window", ecgkd_model_run(&good, NULL, embedding, NULL, arena, 32), ECGKD_ERROR_NULL},
        {"no embedding", ecgkd_model_run(&good, window, NULL, NULL, arena, 32), ECGKD_ERROR_NULL},
        {"no arena", ecgkd_model_run(&good, window, embedding, NULL, NULL, 32), ECGKD_ERROR_NULL},
        {"another version", ecgkd_model_run(&other_abi, window, embedding, NULL, arena, 32), ECGKD_ERROR_MODEL},
        {"no function", ecgkd_model_run(&no_forward, window, embedding, NULL, arena, 32), ECGKD_ERROR_MODEL},
        {"a small arena", ecgkd_model_run(&good, window, embedding, NULL, arena, 31), ECGKD_ERROR_SIZE},
        {"a crooked arena", ecgkd_model_run(&good, window, embedding, NULL, arena + 8, 32), ECGKD_ERROR_ALIGNMENT},
        {"window in the arena", ecgkd_model_run(&good, inside, embedding, NULL, arena, 32), ECGKD_ERROR_OVERLAP},
        {"embedding in the arena", ecgkd_model_run(&good, window, inside, NULL, arena, 32), ECGKD_ERROR_OVERLAP},
        {"both outputs", ecgkd_model_run(&both, window, embedding, activity, arena, 32), ECGKD_OK},
        {"one of two", ecgkd_model_run(&both, window, embedding, NULL, arena, 32), ECGKD_OK},
        {"an activity that is not told", ecgkd_model_run(&good, window, embedding, inside, arena, 32), ECGKD_OK},
        {"activity in the arena", ecgkd_model_run(&both, window, embedding, inside, arena, 32), ECGKD_ERROR_OVERLAP},
        {"activity in the embedding", ecgkd_model_run(&both, window, embedding, embedding + 7, arena, 32),
         ECGKD_ERROR_OVERLAP},
        {"an activity without scale", ecgkd_model_run(&no_scale, window, embedding, activity, arena, 32),
         ECGKD_ERROR_MODEL},
        {"a zero point out of range", ecgkd_model_run(&far_zero, window, embedding, activity, arena, 32),
         ECGKD_ERROR_MODEL},
    };
    int wrong = 0;
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        if (tries[i].actual != tries[i].expected) {
            printf("%s: \"%s\", expected \"%s\"\n", tries[i].what, ecgkd_status_text(tries[i].actual),
                   ecgkd_status_text(tries[i].expected));
            wrong++;
        }
    }
    return wrong + (memcmp(window, embedding, 8) != 0) + (memcmp(window, activity, 3) != 0);
}

int main(void)
{
    const int count = (int)(sizeof cases / sizeof *cases);
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        wrong += check(cases[i]);
    }
    const int refused = refusals();
    printf("kernels: %d cases, %d wrong; refusals: %d wrong\n", count, wrong, refused);
    return wrong + refused == 0 ? 0 : 1;
}
