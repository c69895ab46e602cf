/* The owner check's interface: every refusal by its name, lost samples, full enrolments, one step of ageing. The bits are
 * compared elsewhere, by tests/firmware/owner. Prints what went wrong and a summary; returns 0 or 1. */
#include <stdio.h>

#include "ecgkd.h"

#define FS 250
#define SIZE 8

static const ecgkd_decision_t good_decision = {
    .magic = ECGKD_DECISION_MAGIC, .abi = ECGKD_DECISION_ABI, .embedding_space = "00ff", .space = "of sixteen bytes",
    .size = SIZE, .calibrated = 1, .max_windows = 3, .min_windows = 3, .threshold = 40000, .slope = 900000,
    .offset = -300000, .rho = 30000, .accept = 450000, .reject = -300000, .update = 450000, .floor = 300000,
    .min_consistency = 300000,
};

static int8_t given[SIZE] = { 90, -50, 30, 10 }; /* what the network says of every window */
static int8_t scores[3] = { -7, 20, 11 };

static void forward(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *memory)
{
    memset(memory, 0x5a, 64);
    (void)window;
    memcpy(embedding, given, SIZE);
    if (activity != NULL)
        memcpy(activity, scores, sizeof scores);
}

static const ecgkd_model_t good_model = {
    .magic = ECGKD_MODEL_MAGIC, .abi = ECGKD_MODEL_ABI, .name = "test", .embedding_space = "00ff",
    .window_size = ECGKD_WINDOW_SAMPLES, .embedding_size = SIZE, .arena_size = 64, .forward = forward,
};

static const char *const activities[3] = { "rest", "walk", "run" };

static int32_t ring[ECGKD_RING_SAMPLES(FS)];
static uint8_t arena[ECGKD_ARENA_BYTES(64, FS)] ECGKD_ALIGNED;
static ecgkd_t watch;
static ecgkd_template_t owner;
static int wrong, checks;

static void expect(const char *what, ecgkd_result_t actual, ecgkd_result_t expected)
{
    checks++;
    if (actual != expected) {
        printf("%s: \"%s\", expected \"%s\"\n", what, ecgkd_result_text(actual), ecgkd_result_text(expected));
        wrong++;
    }
}

static void hold(const char *what, bool truth)
{
    checks++;
    if (!truth) {
        printf("%s: not so\n", what);
        wrong++;
    }
}

static ecgkd_config_t config(void)
{
    ecgkd_config_t c = { .model = &good_model, .decision = &good_decision, .rate = &ecgkd_rate_250, .gain_known = true,
                         .ring = ring, .ring_samples = ECGKD_RING_SAMPLES(FS), .arena = arena,
                         .arena_bytes = sizeof arena };
    return c;
}

/* Sample i of something like an ECG: a spike, a wave and a little noise each 0.8 s. */
static int32_t heart(uint32_t i)
{
    int32_t t = (int32_t)(i % 200), noise = (int32_t)(i * 2654435761u >> 28);
    int32_t spike = t > 46 && t < 54 ? 1000 - 250 * (t < 50 ? 50 - t : t - 50) : 0;
    int32_t wave = t > 100 && t < 140 ? 150 - 7 * (t < 120 ? 120 - t : t - 120) : 0;
    return 20000 + spike + wave + noise;
}

static ecgkd_result_t window_of(int32_t (*sample)(uint32_t i))
{
    for (uint32_t i = 0; i < 4 * FS; i++) {
        expect("poll between samples", ecgkd_poll(&watch), ECGKD_WAITING);
        checks--;
        ecgkd_push(&watch, sample(i));
    }
    return ecgkd_poll(&watch);
}

static int32_t holey(uint32_t i)
{
    return i == 700 ? ECGKD_MISSING : heart(i);
}

static int32_t flat(uint32_t i)
{
    return 5 + (int32_t)(i % 2);
}

static void refusals_of_init(void)
{
    ecgkd_config_t c = config();
    ecgkd_model_t model = good_model;
    ecgkd_decision_t decision = good_decision;
    expect("no state", ecgkd_init(NULL, &c), ECGKD_BAD_ARGUMENT);
    expect("no configuration", ecgkd_init(&watch, NULL), ECGKD_BAD_ARGUMENT);
    c.rate = ecgkd_rate_of(333);
    expect("a rate that is not supported", ecgkd_init(&watch, &c), ECGKD_BAD_ARGUMENT);
    c = config();
    c.ring_samples = 4 * FS;
    expect("a small ring", ecgkd_init(&watch, &c), ECGKD_BAD_MEMORY);
    c = config();
    c.arena_bytes--;
    expect("a small arena", ecgkd_init(&watch, &c), ECGKD_BAD_MEMORY);
    c = config();
    c.arena = arena + 8;
    expect("a crooked arena", ecgkd_init(&watch, &c), ECGKD_BAD_MEMORY);
    c = config();
    c.model = &model;
    model.abi++;
    expect("a network of another version", ecgkd_init(&watch, &c), ECGKD_BAD_MODEL);
    model = good_model;
    model.window_size = 3 * ECGKD_WINDOW_SAMPLES;
    expect("a network of three leads", ecgkd_init(&watch, &c), ECGKD_BAD_MODEL);
    model = good_model;
    model.activity_size = ECGKD_MAX_ACTIVITIES + 1;
    model.activity_scale = 1;
    expect("too many activities", ecgkd_init(&watch, &c), ECGKD_BAD_MODEL);
    model = good_model;
    model.embedding_space = "00fe";
    expect("a network of another space", ecgkd_init(&watch, &c), ECGKD_OTHER_MODEL);
    c = config();
    c.decision = &decision;
    decision.as_norm = 1;
    expect("a cohort that is missing", ecgkd_init(&watch, &c), ECGKD_BAD_MODEL);
    decision = good_decision;
    decision.size = ECGKD_MAX_EMBEDDING + 1;
    expect("an embedding that is too long", ecgkd_init(&watch, &c), ECGKD_BAD_MODEL);
    expect("a push before", ecgkd_push(&watch, 0), ECGKD_BAD_ARGUMENT);
    c = config();
    expect("all is right", ecgkd_init(&watch, &c), ECGKD_DONE);
}

static void states(void)
{
    expect("poll, nothing begun", ecgkd_poll(&watch), ECGKD_BAD_STATE);
    expect("placement, nothing begun", ecgkd_next_placement(&watch), ECGKD_BAD_STATE);
    expect("enrolment's end, nothing begun", ecgkd_enrol_finish(&watch, &owner), ECGKD_BAD_STATE);
    expect("verification's end, nothing begun", ecgkd_verify_finish(&watch), ECGKD_BAD_STATE);
    expect("an empty template", ecgkd_verify_begin(&watch, &owner), ECGKD_OTHER_MODEL);
    hold("no verdict, no enrolment", ecgkd_verdict(&watch) == NULL && ecgkd_enrolment(&watch) == NULL);
}

static void enrolment(void)
{
    expect("enrol", ecgkd_enrol_begin(&watch), ECGKD_DONE);
    expect("a window", window_of(heart), ECGKD_WINDOW_TAKEN);
    hold("good", ecgkd_poor(&watch) == 0);
    expect("a window with a hole", window_of(holey), ECGKD_WINDOW_POOR);
    hold("missing", (ecgkd_poor(&watch) & ECGKD_POOR_MISSING) != 0);
    expect("a flat window", window_of(flat), ECGKD_WINDOW_POOR);
    hold("flat", (ecgkd_poor(&watch) & ECGKD_POOR_FLAT) != 0);
    expect("too few", ecgkd_enrol_finish(&watch, &owner), ECGKD_TOO_FEW);
    for (int32_t i = 0; i < ECGKD_RING_SAMPLES(FS) - 1; i++)
        expect("a push", ecgkd_push(&watch, heart((uint32_t)i)), ECGKD_DONE);
    expect("a full ring", ecgkd_push(&watch, 0), ECGKD_SAMPLES_LOST);
    expect("and it is said", ecgkd_poll(&watch), ECGKD_SAMPLES_LOST);
    expect("then it begins afresh", ecgkd_poll(&watch), ECGKD_WAITING);
    expect("two", window_of(heart), ECGKD_WINDOW_TAKEN);
    ecgkd_push(&watch, 1000000);
    expect("put on again", ecgkd_next_placement(&watch), ECGKD_DONE);
    for (int i = 3; i < ECGKD_MAX_ENROL_WINDOWS; i++)
        expect("more", window_of(heart), ECGKD_WINDOW_TAKEN);
    expect("the last", window_of(heart), ECGKD_WINDOWS_FULL);
    expect("one too many", window_of(heart), ECGKD_WINDOWS_FULL);
    expect("enrolled", ecgkd_enrol_finish(&watch, &owner), ECGKD_DONE);
    hold("from all windows and two placements",
         owner.windows == ECGKD_MAX_ENROL_WINDOWS && owner.placements == 2 && ecgkd_enrolment(&watch)->kept == 16);
}

static void verification(void)
{
    const ecgkd_template_t kept = owner;
    expect("verify", ecgkd_verify_begin(&watch, &owner), ECGKD_DONE);
    expect("too early to end", ecgkd_update(&watch, &owner, true), ECGKD_BAD_STATE);
    expect("accepted", window_of(heart), ECGKD_ACCEPTED);
    hold("early", ecgkd_verdict(&watch)->early && ecgkd_verdict(&watch)->windows == 1);
    expect("no step without a confirmation", ecgkd_update(&watch, &owner, false), ECGKD_NOT_UPDATED);
    hold("unchanged", memcmp(&kept, &owner, sizeof kept) == 0);
    expect("a step", ecgkd_update(&watch, &owner, true), ECGKD_DONE);
    expect("one only", ecgkd_update(&watch, &owner, true), ECGKD_BAD_STATE);
    hold("counted", owner.updates == 1 && memcmp(kept.anchor, owner.anchor, sizeof kept.anchor) == 0);
    given[0] = -90;
    ecgkd_verify_begin(&watch, &owner);
    expect("somebody else", window_of(heart), ECGKD_REFUSED);
    expect("no step after a refusal", ecgkd_update(&watch, &owner, true), ECGKD_NOT_UPDATED);
    given[0] = 90;
    ecgkd_verify_begin(&watch, &owner);
    expect("noise only", window_of(flat), ECGKD_WINDOW_POOR);
    expect("no decision", ecgkd_verify_finish(&watch), ECGKD_NO_DECISION);
    hold("texts", strcmp(ecgkd_result_text((ecgkd_result_t)99), "unknown") == 0);
}

/* The same with a network that tells activities: everything begins with ecgkd_init again. */
static void activity(void)
{
    ecgkd_config_t c = config();
    ecgkd_model_t model = good_model;
    hold("this network does not tell", ecgkd_activity(&watch) == NULL && ecgkd_activity_name(&watch, 0) == NULL);
    hold("no state", ecgkd_activity(NULL) == NULL && ecgkd_activity_name(NULL, 0) == NULL);
    model.activity_size = 3;
    model.activity_zero_point = -4;
    model.activity_scale = 1u << 21; /* 1/8 */
    c.model = &model;
    expect("init", ecgkd_init(&watch, &c), ECGKD_DONE);
    const ecgkd_activity_t *told = ecgkd_activity(&watch);
    hold("nothing yet", told != NULL && told->windows == 0 && told->margin == 0);
    ecgkd_verify_begin(&watch, &owner);
    expect("a poor window", window_of(flat), ECGKD_WINDOW_POOR);
    hold("tells nothing", told->windows == 0);
    expect("accepted", window_of(heart), ECGKD_ACCEPTED);
    hold("a walk", told->windows == 1 && told->index == 1 && told->sum[0] == -3 && told->sum[1] == 24);
    hold("by e^(9/8) to one", told->margin == 65536 * 9 / 8);
    hold("without names", ecgkd_activity_name(&watch, 1) == NULL);
    model.activity_names = activities;
    hold("with names", strcmp(ecgkd_activity_name(&watch, told->index), "walk") == 0);
    hold("and no more than three", ecgkd_activity_name(&watch, 3) == NULL);
    ecgkd_enrol_begin(&watch);
    hold("forgotten", told->windows == 0 && told->sum[1] == 0);
    for (int i = 0; i < ECGKD_MAX_ENROL_WINDOWS + 1; i++) {
        scores[2] = i < 5 ? 127 : -128;
        window_of(heart);
    }
    hold("the sixteen that were taken", told->windows == ECGKD_MAX_ENROL_WINDOWS);
    hold("as long as the enrolment", told->index == 1 && told->sum[2] == 5 * 131 - 11 * 124);
    scores[0] = scores[2] = scores[1];
    ecgkd_verify_begin(&watch, &owner);
    window_of(heart);
    hold("the first of equals", told->index == 0 && told->margin == 0);
    model.activity_size = 1;
    ecgkd_verify_begin(&watch, &owner);
    window_of(heart);
    hold("one alone", told->index == 0 && told->margin == 0);
    c = config();
    ecgkd_init(&watch, &c);
}

int main(void)
{
    refusals_of_init();
    states();
    enrolment();
    verification();
    activity();
    printf("owner check: %d checks, %d wrong\n", checks, wrong);
    return wrong == 0 ? 0 : 1;
}
