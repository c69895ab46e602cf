#include "ecgkd_nn.h"

const char *ecgkd_status_text(ecgkd_status_t status)
{
    static const char *const texts[ECGKD_STATUS_COUNT] = {
        [ECGKD_OK] = "ok",
        [ECGKD_ERROR_NULL] = "a pointer is missing",
        [ECGKD_ERROR_MODEL] = "not a model of this library's version",
        [ECGKD_ERROR_SIZE] = "a buffer is too small",
        [ECGKD_ERROR_ALIGNMENT] = "the arena is not aligned to 16 bytes",
        [ECGKD_ERROR_OVERLAP] = "window or embedding lies inside the arena",
        [ECGKD_ERROR_ARGUMENT] = "an argument is out of its range",
    };
    return (unsigned)status < ECGKD_STATUS_COUNT ? texts[status] : "unknown status";
}

ecgkd_status_t ecgkd_model_check(const ecgkd_model_t *model)
{
    if (model == NULL) {
        return ECGKD_ERROR_NULL;
    }
    if (model->magic != ECGKD_MODEL_MAGIC || model->abi != ECGKD_MODEL_ABI || model->forward == NULL ||
        model->name == NULL || model->embedding_space == NULL || model->window_size == 0 ||
        model->embedding_size == 0) {
        return ECGKD_ERROR_MODEL;
    }
    return ECGKD_OK;
}

static int overlap(const void *a, size_t a_size, const void *b, size_t b_size)
{
    const uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second + b_size && second < first + a_size;
}

ecgkd_status_t ecgkd_model_run(const ecgkd_model_t *model, const int8_t *window, int8_t *embedding, void *arena,
                               size_t arena_size)
{
    const ecgkd_status_t status = ecgkd_model_check(model);
    if (status != ECGKD_OK) {
        return status;
    }
    if (window == NULL || embedding == NULL || (arena == NULL && model->arena_size > 0)) {
        return ECGKD_ERROR_NULL;
    }
    if ((uintptr_t)arena % ECGKD_ALIGNMENT != 0) {
        return ECGKD_ERROR_ALIGNMENT;
    }
    if (arena_size < model->arena_size) {
        return ECGKD_ERROR_SIZE;
    }
    if (overlap(window, model->window_size, arena, model->arena_size) ||
        overlap(embedding, model->embedding_size, arena, model->arena_size) ||
        overlap(window, model->window_size, embedding, model->embedding_size)) {
        return ECGKD_ERROR_OVERLAP;
    }
    model->forward(window, embedding, arena);
    return ECGKD_OK;
}
