#include "runner.h"

#include "ecgkd_nn.h"
#include RUNNER_HEADER

#include <string.h>

#define STRINGIFY(x) #x
#define TEXT_OF(x) STRINGIFY(x)
#ifndef RUNNER_TARGET
#define RUNNER_TARGET unknown
#endif

enum { OK = 0, USAGE = 2, INPUT_OUTPUT = 5, WRONG = 70, WINDOW_MAX = 4096, EMBEDDING_MAX = 1024, ACTIVITY_MAX = 64 };

static ECGKD_ALIGNED uint8_t arena[RUNNER_ARENA];
static ECGKD_ALIGNED int8_t window[WINDOW_MAX];
static ECGKD_ALIGNED int8_t embedding[EMBEDDING_MAX];
static int8_t activity[ACTIVITY_MAX];
static const ecgkd_model_t *const model = &RUNNER_MODEL;

static void put(const char *text)
{
    ecgkd_port_write(text, strlen(text));
}

static void put_number(uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + (int)(number % 10));
        number /= 10;
    } while (number != 0);
    ecgkd_port_write(digits + at, sizeof digits - at);
}

static void put_pair(const char *key, uint64_t number)
{
    put(", \"");
    put(key);
    put("\": ");
    put_number(number);
}

static void put_facts(runner_memory_t memory)
{
    put("{\"ecgkd_runner\": 1, \"target\": \"" TEXT_OF(RUNNER_TARGET) "\", \"model\": \"");
    put(model->name);
    put("\", \"embedding_space\": \"");
    put(model->embedding_space);
    put("\"");
    put_pair("window_bytes", model->window_size);
    put_pair("embedding_bytes", model->embedding_size);
    put_pair("activity_bytes", model->activity_size);
    put_pair("arena_bytes", model->arena_size);
    put_pair("weights_bytes", model->weights_size);
    put_pair("ticks_per_second", ecgkd_port_ticks_per_second);
    if (memory.key != NULL)
        put_pair(memory.key, memory.bytes());
}

static int fits(void)
{
    return ecgkd_model_check(model) == ECGKD_OK && model->window_size <= WINDOW_MAX &&
           model->embedding_size <= EMBEDDING_MAX && model->activity_size <= ACTIVITY_MAX;
}

/* One inference of `window`. Wrong models end here, in words. */
static int ran(void)
{
    const ecgkd_status_t status = ecgkd_model_run(model, window, embedding, activity, arena, sizeof arena);
    if (status == ECGKD_OK)
        return 1;
    put("error: ");
    put(ecgkd_status_text(status));
    put("\n");
    return 0;
}

int runner_info(runner_memory_t memory)
{
    put_facts(memory);
    put("}\n");
    return fits() ? OK : WRONG;
}

int runner_run(void)
{
    if (!fits())
        return WRONG;
    for (;;) {
        const size_t came = ecgkd_port_read(window, model->window_size);
        int good;
        if (came == 0)
            return OK;
        if (came < model->window_size)
            return INPUT_OUTPUT;
        ecgkd_mark_begin();
        good = ran();
        ecgkd_mark_end();
        if (!good)
            return WRONG;
        ecgkd_port_write(embedding, model->embedding_size);
        if (model->activity_size > 0)
            ecgkd_port_write(activity, model->activity_size);
    }
}

int runner_bench(uint32_t warm_up, uint32_t runs, runner_memory_t memory)
{
    static uint64_t ticks[RUNNER_MAX_RUNS];
    if (!fits())
        return WRONG;
    if (runs == 0 || runs > RUNNER_MAX_RUNS)
        return USAGE;
    if (ecgkd_port_read(window, model->window_size) < model->window_size)
        return INPUT_OUTPUT;
    for (uint32_t i = 0; i < warm_up; i++)
        if (!ran())
            return WRONG;
    for (uint32_t i = 0; i < runs; i++) {
        const uint64_t before = ecgkd_port_ticks();
        const int good = ran();
        ticks[i] = ecgkd_port_ticks() - before;
        if (!good)
            return WRONG;
    }
    put_facts(memory);
    put_pair("warm_up", warm_up);
    put(", \"ticks\": [");
    for (uint32_t i = 0; i < runs; i++) {
        put(i == 0 ? "" : ", ");
        put_number(ticks[i]);
    }
    put("]}\n");
    return OK;
}
