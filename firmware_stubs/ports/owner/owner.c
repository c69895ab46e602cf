/* The whole owner check through the port's functions: recordings in, one line for each window and each verdict out.
 *
 * Input, little endian: the sampling rate, uint32, then commands of one byte:
 *   S n x…     n samples, uint32 and int32 [n] µV: pushed one by one, polled as they come
 *   E          begins an enrolment          P  the electrodes are put on again
 *   F          finishes the enrolment; the template goes through ecgkd_template_store and _load with a key
 *   V          begins a verification        D  ends it, unless the verdict is there already
 *   U c        lets the template age; c: 1 confirmed, else 0
 *   R n e…     with OWNER_REPLAY, in place of the network: the next n embeddings, uint32 and int8 [n][size];
 *              without it n must be 0
 * Output, decimal:
 *   w RESULT POOR HASH                              a window, and FNV-1a of the network's input
 *   e RESULT USABLE KEPT PLACEMENTS CONSISTENCY HASH  an enrolment, and FNV-1a of the template's vector
 *   v RESULT EARLY SCORE LLR WINDOWS LAST           a verdict
 *   u RESULT HASH                                   an update
 *   a INDEX WINDOWS MARGIN                          behind e and v, of a network that tells activities
 *   m STATE TEMPLATE ARENA                          bytes, first of all
 *
 * OWNER_DECISION and, without OWNER_REPLAY, OWNER_MODEL name the generated constants, which OWNER_HEADER declares. */
#include "ecgkd.h"
#include "ecgkd_port.h"
#include OWNER_HEADER

#ifdef OWNER_REPLAY
#define OWNER_ARENA 16
#endif

static int32_t ring[ECGKD_RING_SAMPLES(1000)];
static ECGKD_ALIGNED uint8_t arena[ECGKD_ARENA_BYTES(OWNER_ARENA, 1000)];
static ecgkd_t state;
static ecgkd_template_t owner;
static uint8_t blob[ECGKD_TEMPLATE_BYTES(ECGKD_MAX_EMBEDDING)];

#ifdef OWNER_REPLAY
static int8_t replayed[256][ECGKD_MAX_EMBEDDING];
static uint32_t replayed_count, next_replayed;

static void replay(const int8_t *window, int8_t *embedding, int8_t *activity, uint8_t *memory)
{
    (void)window;
    (void)activity;
    (void)memory;
    memset(embedding, 0, OWNER_DECISION.size);
    if (next_replayed < replayed_count)
        memcpy(embedding, replayed[next_replayed++], OWNER_DECISION.size);
}

static ecgkd_model_t network;
#else
#define network OWNER_MODEL
#endif

static void put(const char *text)
{
    ecgkd_port_write(text, strlen(text));
}

static void number(int64_t value)
{
    char digits[22];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        digits[--at] = '-';
    digits[--at] = ' ';
    ecgkd_port_write(digits + at, sizeof digits - at);
}

static uint32_t hash_of(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

static uint32_t take(size_t bytes)
{
    uint8_t b[4] = { 0 };
    if (ecgkd_port_read(b, bytes) != bytes)
        ecgkd_port_exit(5);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void say_activity(void)
{
    const ecgkd_activity_t *a = ecgkd_activity(&state);
    if (a == NULL)
        return;
    put("a");
    number(a->index);
    number(a->windows);
    number(a->margin);
    put("\n");
}

static void say_verdict(void)
{
    const ecgkd_verdict_t *v = ecgkd_verdict(&state);
    put("v");
    number((int64_t)v->result);
    number(v->early);
    number(v->score);
    number(v->llr);
    number(v->windows);
    number(v->windows > 0 ? v->last : -1);
    put("\n");
    say_activity();
}

static void one_sample(int32_t microvolts)
{
    ecgkd_push(&state, microvolts);
    ecgkd_result_t result = ecgkd_poll(&state);
    if (result == ECGKD_WAITING || result == ECGKD_BAD_STATE)
        return;
    put("w");
    number((int64_t)result);
    number(ecgkd_poor(&state));
    number(hash_of(state.window, sizeof state.window));
    put("\n");
    if (result >= ECGKD_ACCEPTED && result <= ECGKD_NO_DECISION)
        say_verdict();
}

static void samples(void)
{
    uint8_t b[4];
    for (uint32_t n = take(4); n > 0; n--) {
        if (ecgkd_port_read(b, sizeof b) != sizeof b)
            ecgkd_port_exit(5);
        uint32_t bits = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        one_sample(bits < 0x80000000u ? (int32_t)bits : (int32_t)(bits - 0x80000000u) + INT32_MIN);
    }
}

static void finish(void)
{
    uint8_t key[ECGKD_KEY_BYTES];
    const ecgkd_enrolment_t *now = ecgkd_enrolment(&state);
    ecgkd_result_t result = ecgkd_enrol_finish(&state, &owner);
    put("e");
    number((int64_t)result);
    number(now->usable);
    number(now->kept);
    number(now->placements);
    number(now->consistency);
    number(result == ECGKD_DONE ? hash_of(owner.vector, 2u * owner.size) : 0);
    put("\n");
    say_activity();
    if (result != ECGKD_DONE)
        return;
    memset(key, 0x5a, sizeof key);
    result = ecgkd_template_store(&owner, key, blob, sizeof blob);
    memset(&owner, 0, sizeof owner);
    if (result != ECGKD_DONE || ecgkd_template_load(&owner, &OWNER_DECISION, key, blob,
                                                    ECGKD_TEMPLATE_BYTES(OWNER_DECISION.size)) != ECGKD_DONE)
        ecgkd_port_exit(70);
}

static void update(void)
{
    ecgkd_result_t result = ecgkd_update(&state, &owner, take(1) == 1);
    put("u");
    number((int64_t)result);
    number(hash_of(owner.vector, 2u * owner.size));
    put("\n");
}

static void embeddings(void)
{
#ifdef OWNER_REPLAY
    replayed_count = take(4);
    next_replayed = 0;
    for (uint32_t k = 0; k < replayed_count; k++)
        if (k >= 256 || ecgkd_port_read(replayed[k], OWNER_DECISION.size) != OWNER_DECISION.size)
            ecgkd_port_exit(5);
#else
    if (take(4) > 0)
        ecgkd_port_exit(2);
#endif
}

static void begin(uint32_t fs)
{
#ifdef OWNER_REPLAY
    network = (ecgkd_model_t){ .magic = ECGKD_MODEL_MAGIC, .abi = ECGKD_MODEL_ABI, .name = "replay",
                               .embedding_space = OWNER_DECISION.embedding_space, .window_size = ECGKD_WINDOW_SAMPLES,
                               .embedding_size = OWNER_DECISION.size, .arena_size = OWNER_ARENA, .weights_size = 1,
                               .forward = replay };
#endif
    ecgkd_config_t config = { .model = &network, .decision = &OWNER_DECISION, .rate = ecgkd_rate_of(fs),
                              .gain_known = true, .ring = ring, .ring_samples = ECGKD_RING_SAMPLES(fs),
                              .arena = arena, .arena_bytes = sizeof arena };
    ecgkd_result_t result = ecgkd_init(&state, &config);
    if (result != ECGKD_DONE) {
        put(ecgkd_result_text(result));
        put("\n");
        ecgkd_port_exit(70);
    }
    put("m");
    number(sizeof state);
    number(sizeof owner);
    number(sizeof arena);
    put("\n");
}

int main(void)
{
    uint8_t command;
    begin(take(4));
    while (ecgkd_port_read(&command, 1) == 1) {
        switch (command) {
        case 'S': samples(); break;
        case 'E': ecgkd_enrol_begin(&state); break;
        case 'P': ecgkd_next_placement(&state); break;
        case 'F': finish(); break;
        case 'V': ecgkd_verify_begin(&state, &owner); break;
        case 'D':
            if (ecgkd_verify_finish(&state) != ECGKD_BAD_STATE)
                say_verdict();
            break;
        case 'U': update(); break;
        case 'R': embeddings(); break;
        default: ecgkd_port_exit(2);
        }
    }
    ecgkd_port_exit(0);
}
