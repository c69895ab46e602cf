#include "tiny.h"

static void forward(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *arena)
{
    arena[0] = 0;
    int32_t energy = 1;
    for (int t = 0; t < 1000; t++)
        energy += window[t] * window[t];
    for (int k = 0; k < 8; k++) {
        int32_t sum = 0;
        for (int t = 0; t + 4 * k + 4 < 1000; t++)
            sum += window[t] * window[t + 4 * k + 4];
        embedding[k] = (int8_t)(sum * 100 / energy);
    }
    if (activity != NULL) { /* a beat that lasts long is one of a body at rest */
        activity[0] = embedding[0];
        activity[1] = 60;
    }
}

static const char *const names[2] = { "rest", "move" };

const ecgkd_model_t tiny = {
    .magic = ECGKD_MODEL_MAGIC, .abi = ECGKD_MODEL_ABI, .name = "tiny",
    .embedding_space = "000102030405060708090a0b0c0d0e0f", .window_size = 1000, .embedding_size = 8,
    .activity_size = 2, .activity_scale = 1u << 21, .activity_names = names,
    .arena_size = TINY_ARENA_SIZE, .weights_size = 0, .forward = forward,
};
