/* ecgkd.h for the JVM: org.ecgkd.OwnerCheck. All state lies in one direct buffer that Java owns; nothing is allocated
 * here. ECGKD_APP_HEADER declares network and decision, ECGKD_APP_MODEL, ECGKD_APP_DECISION and ECGKD_APP_ARENA (bytes)
 * name them. */
#include <jni.h>

#include "ecgkd.h"
#include ECGKD_APP_HEADER

#define MAX_FS 1000
#define CHUNK 256 /* samples that are copied out of Java's array at a time */

typedef struct app {
    uint8_t arena[ECGKD_ARENA_BYTES(ECGKD_APP_ARENA, MAX_FS)] ECGKD_ALIGNED;
    int32_t ring[ECGKD_RING_SAMPLES(MAX_FS)];
    ecgkd_t check;
    ecgkd_template_t owner;
} app_t;

/* The state inside the buffer, at its first aligned byte; NULL where the buffer is too small or none. */
static app_t *app_of(JNIEnv *env, jobject memory)
{
    uint8_t *at = memory != NULL ? (*env)->GetDirectBufferAddress(env, memory) : NULL;
    if (at == NULL || (*env)->GetDirectBufferCapacity(env, memory) < (jlong)(sizeof(app_t) + ECGKD_ALIGNMENT))
        return NULL;
    return (app_t *)(void *)(at + (ECGKD_ALIGNMENT - (uintptr_t)at % ECGKD_ALIGNMENT) % ECGKD_ALIGNMENT);
}

/* Copies a key of ECGKD_KEY_BYTES to `key`; NULL for no key. False where it has another length. */
static bool take_key(JNIEnv *env, jbyteArray from, uint8_t *key, const uint8_t **used)
{
    *used = NULL;
    if (from == NULL)
        return true;
    if ((*env)->GetArrayLength(env, from) != ECGKD_KEY_BYTES)
        return false;
    (*env)->GetByteArrayRegion(env, from, 0, ECGKD_KEY_BYTES, (jbyte *)key);
    *used = key;
    return true;
}

JNIEXPORT jint JNICALL Java_org_ecgkd_OwnerCheck_bytes(JNIEnv *env, jclass type)
{
    (void)env;
    (void)type;
    return (jint)(sizeof(app_t) + ECGKD_ALIGNMENT);
}

JNIEXPORT jint JNICALL Java_org_ecgkd_OwnerCheck_init(JNIEnv *env, jclass type, jobject memory, jint fs,
                                                      jboolean gain_known)
{
    app_t *app = app_of(env, memory);
    (void)type;
    if (app == NULL)
        return ECGKD_BAD_MEMORY;
    ecgkd_config_t config = {
        .model = &ECGKD_APP_MODEL,
        .decision = &ECGKD_APP_DECISION,
        .rate = fs > 0 ? ecgkd_rate_of((uint32_t)fs) : NULL,
        .gain_known = gain_known == JNI_TRUE,
        .ring = app->ring,
        .ring_samples = ECGKD_RING_SAMPLES(MAX_FS),
        .arena = app->arena,
        .arena_bytes = sizeof app->arena,
    };
    memset(&app->owner, 0, sizeof app->owner);
    return (jint)ecgkd_init(&app->check, &config);
}

/* Pushes and polls; the verdict if there is one, else the last window's result, else ECGKD_WAITING. */
JNIEXPORT jint JNICALL Java_org_ecgkd_OwnerCheck_push(JNIEnv *env, jclass type, jobject memory, jintArray samples,
                                                      jint count)
{
    app_t *app = app_of(env, memory);
    jint chunk[CHUNK];
    ecgkd_result_t last = ECGKD_WAITING;
    (void)type;
    if (app == NULL)
        return ECGKD_BAD_MEMORY;
    if (samples == NULL || count < 0 || count > (*env)->GetArrayLength(env, samples))
        return ECGKD_BAD_ARGUMENT;
    for (jint done = 0; done < count; done += CHUNK) {
        jint n = count - done < CHUNK ? count - done : CHUNK;
        (*env)->GetIntArrayRegion(env, samples, done, n, chunk);
        for (jint i = 0; i < n; i++) {
            ecgkd_push(&app->check, chunk[i]);
            ecgkd_result_t result = ecgkd_poll(&app->check);
            if (result >= ECGKD_ACCEPTED)
                return (jint)result;
            last = result != ECGKD_WAITING ? result : last;
        }
    }
    return (jint)last;
}

/* ---- calls without arguments: result = call(state) ---- */

#define SIMPLE(name, call)                                                                                             \
    JNIEXPORT jint JNICALL Java_org_ecgkd_OwnerCheck_##name(JNIEnv *env, jclass type, jobject memory)                  \
    {                                                                                                                  \
        app_t *app = app_of(env, memory);                                                                              \
        (void)type;                                                                                                    \
        return app == NULL ? (jint)ECGKD_BAD_MEMORY : (jint)(call);                                                    \
    }
SIMPLE(enrolBegin, ecgkd_enrol_begin(&app->check))
SIMPLE(nextPlacement, ecgkd_next_placement(&app->check))
SIMPLE(enrolFinish, ecgkd_enrol_finish(&app->check, &app->owner))
SIMPLE(verifyBegin, ecgkd_verify_begin(&app->check, &app->owner))
SIMPLE(verifyFinish, ecgkd_verify_finish(&app->check))
SIMPLE(update, ecgkd_update(&app->check, &app->owner, true))
SIMPLE(poor, ecgkd_poor(&app->check))
SIMPLE(usable, ecgkd_enrolment(&app->check) != NULL ? ecgkd_enrolment(&app->check)->usable : 0)
SIMPLE(placements, app->owner.placements)
SIMPLE(score, ecgkd_verdict(&app->check) != NULL ? ecgkd_verdict(&app->check)->score : 0)

/* ---- activity ---- */

static const ecgkd_activity_t *told(app_t *app)
{
    const ecgkd_activity_t *activity = ecgkd_activity(&app->check);
    return activity != NULL && activity->windows > 0 ? activity : NULL;
}
SIMPLE(activity, told(app) != NULL ? (jint)told(app)->index : -1)
SIMPLE(activityMargin, told(app) != NULL ? told(app)->margin : 0)

JNIEXPORT jstring JNICALL Java_org_ecgkd_OwnerCheck_activityName(JNIEnv *env, jclass type, jobject memory, jint index)
{
    app_t *app = app_of(env, memory);
    (void)type;
    const char *name = app != NULL && index >= 0 ? ecgkd_activity_name(&app->check, (unsigned)index) : NULL;
    return name != NULL ? (*env)->NewStringUTF(env, name) : NULL;
}

JNIEXPORT void JNICALL Java_org_ecgkd_OwnerCheck_drop(JNIEnv *env, jclass type, jobject memory)
{
    app_t *app = app_of(env, memory);
    (void)type;
    if (app != NULL)
        ecgkd_drop_samples(&app->check);
}

/* ---- the stored template ---- */

JNIEXPORT jbyteArray JNICALL Java_org_ecgkd_OwnerCheck_store(JNIEnv *env, jclass type, jobject memory, jbyteArray key)
{
    app_t *app = app_of(env, memory);
    uint8_t blob[ECGKD_TEMPLATE_BYTES(ECGKD_MAX_EMBEDDING)], secret[ECGKD_KEY_BYTES];
    const uint8_t *used;
    (void)type;
    if (app == NULL || !take_key(env, key, secret, &used) ||
        ecgkd_template_store(&app->owner, used, blob, sizeof blob) != ECGKD_DONE)
        return NULL;
    jsize bytes = (jsize)ECGKD_TEMPLATE_BYTES(app->owner.size);
    jbyteArray out = (*env)->NewByteArray(env, bytes);
    if (out != NULL)
        (*env)->SetByteArrayRegion(env, out, 0, bytes, (const jbyte *)blob);
    return out;
}

JNIEXPORT jint JNICALL Java_org_ecgkd_OwnerCheck_load(JNIEnv *env, jclass type, jobject memory, jbyteArray from,
                                                      jbyteArray key)
{
    app_t *app = app_of(env, memory);
    uint8_t blob[ECGKD_TEMPLATE_BYTES(ECGKD_MAX_EMBEDDING)], secret[ECGKD_KEY_BYTES];
    const uint8_t *used;
    (void)type;
    if (app == NULL)
        return ECGKD_BAD_MEMORY;
    if (from == NULL || !take_key(env, key, secret, &used))
        return ECGKD_BAD_ARGUMENT;
    jsize bytes = (*env)->GetArrayLength(env, from);
    if ((size_t)bytes > sizeof blob)
        return ECGKD_DAMAGED;
    (*env)->GetByteArrayRegion(env, from, 0, bytes, (jbyte *)blob);
    return (jint)ecgkd_template_load(&app->owner, &ECGKD_APP_DECISION, used, blob, (size_t)bytes);
}
