#include "ecgkd_nn.h"

const char *ecgkd_status_text(ecgkd_status_t status)
{
    static const char *const texts[ECGKD_STATUS_COUNT] = {
        [ECGKD_OK] = "ok",
        [ECGKD_ERROR_NULL] = "a pointer is missing",
        [ECGKD_ERROR_MODEL] = "not a model of this library's version",
        [ECGKD_ERROR_SIZE] = "a buffer is too small",
        [ECGKD_ERROR_ALIGNMENT] = "the arena is not aligned to 16 bytes",
        [ECGKD_ERROR_OVERLAP] = "window and outputs overlap, or lie inside the arena",
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
    if (model->activity_size > 0 && (model->activity_scale == 0 || model->activity_scale > INT32_MAX ||
                                     model->activity_zero_point < -128 || model->activity_zero_point > 127)) {
        return ECGKD_ERROR_MODEL;
    }
    return ECGKD_OK;
}

static int overlap(const void *a, size_t a_size, const void *b, size_t b_size)
{
    const uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second + b_size && second < first + a_size;
}

ecgkd_status_t ecgkd_model_run(const ecgkd_model_t *model, const int8_t *window, int8_t *embedding, int8_t *activity,
                               void *arena, size_t arena_size)
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
    if (model->activity_size == 0) {
        activity = NULL;
    }
    const struct {
        const void *at;
        size_t size;
    } buffers[] = {{arena, model->arena_size},
                   {window, model->window_size},
                   {embedding, model->embedding_size},
                   {activity, activity != NULL ? model->activity_size : 0}};
    for (int i = 1; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            if (overlap(buffers[i].at, buffers[i].size, buffers[j].at, buffers[j].size)) {
                return ECGKD_ERROR_OVERLAP;
            }
        }
    }
    model->forward(window, embedding, activity, arena);
    return ECGKD_OK;
}
