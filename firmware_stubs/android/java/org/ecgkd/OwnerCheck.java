package org.ecgkd;

import java.nio.ByteBuffer;

/**
 * Is the wearer the owner? Samples of one ECG lead in, a verdict out; the same bits as the C library and `ecgkd verify`.
 *
 * <pre>
 * OwnerCheck check = new OwnerCheck(512, true);
 * check.load(stored, deviceKey);                       // or enrol: beginEnrolment, push…, nextPlacement, push…, finish
 * check.beginVerification();
 * // in the sensor's callback:
 * OwnerCheck.Result result = check.push(microvolts, n);
 * if (result == OwnerCheck.Result.ACCEPTED) unlock();
 * </pre>
 *
 * Calls are synchronised; push may take as long as the network does, so call it off the main thread.
 */
public final class OwnerCheck {
    static {
        System.loadLibrary("ecgkd_jni");
    }

    /** What calls answer, in the order of ecgkd_result_t in ecgkd.h, where each is explained. */
    public enum Result {
        DONE,
        WAITING,
        WINDOW_POOR,
        WINDOW_TAKEN,
        SAMPLES_LOST,
        WINDOWS_FULL,
        ACCEPTED,
        REFUSED,
        NO_DECISION,
        TOO_FEW,
        INCONSISTENT,
        NOT_UPDATED,
        AT_BOUND,
        BAD_ARGUMENT,
        BAD_MODEL,
        OTHER_MODEL,
        BAD_MEMORY,
        BAD_STATE,
        DAMAGED,
        OTHER_VERSION,
        OTHER_KEY
    }

    /** A sample that the sensor failed to give. */
    public static final int MISSING = Integer.MIN_VALUE;

    /** Why a window was left out: bits of {@link #poor}. */
    public static final int POOR_MISSING = 1;
    public static final int POOR_FLAT = 1 << 1;
    public static final int POOR_CLIPPED = 1 << 2;
    public static final int POOR_STEP = 1 << 3;
    public static final int POOR_NO_BEATS = 1 << 4;
    public static final int POOR_POWER = 1 << 5;
    public static final int POOR_NO_RHYTHM = 1 << 6;

    private static final Result[] RESULTS = Result.values();
    private final ByteBuffer memory;

    /**
     * Prepares a check of samples at `fs` Hz. `gainKnown`: whether they are really microvolts.
     *
     * @throws IllegalArgumentException for a sampling rate that the front end lacks, or a library built for another model
     */
    public OwnerCheck(int fs, boolean gainKnown) {
        memory = ByteBuffer.allocateDirect(bytes());
        Result result = RESULTS[init(memory, fs, gainKnown)];
        if (result != Result.DONE) {
            throw new IllegalArgumentException("no owner check at " + fs + " Hz: " + result);
        }
    }

    public synchronized Result beginEnrolment() {
        return RESULTS[enrolBegin(memory)];
    }

    /** The electrodes are lifted and put on again; a second placement makes a sturdier template. */
    public synchronized Result nextPlacement() {
        return RESULTS[nextPlacement(memory)];
    }

    /** DONE, TOO_FEW or INCONSISTENT. */
    public synchronized Result finishEnrolment() {
        return RESULTS[enrolFinish(memory)];
    }

    public synchronized Result beginVerification() {
        return RESULTS[verifyBegin(memory)];
    }

    /** Ends a verification with the windows so far: ACCEPTED, REFUSED or NO_DECISION. */
    public synchronized Result finishVerification() {
        return RESULTS[verifyFinish(memory)];
    }

    /**
     * Takes the first n samples, whole microvolts. The verdict if there is one now, else what became of the last window,
     * else WAITING. Samples behind a verdict are not taken.
     */
    public synchronized Result push(int[] microvolts, int n) {
        return RESULTS[push(memory, microvolts, n)];
    }

    /** Lets the template age, after an accepted verification and a PIN or passkey. */
    public synchronized Result updateAfterConfirmation() {
        return RESULTS[update(memory)];
    }

    /** Forgets the samples that have gathered: after the electrodes were off. */
    public synchronized void dropSamples() {
        drop(memory);
    }

    /** Why the last window was left out, POOR_ bits; 0 if it was taken. */
    public synchronized int poor() {
        return poor(memory);
    }

    /** Usable windows of the enrolment that is going on. */
    public synchronized int usableWindows() {
        return usable(memory);
    }

    /** Placements of the electrodes that the template was enrolled from. */
    public synchronized int placements() {
        return placements(memory);
    }

    /** The last verdict's score. */
    public synchronized double score() {
        return score(memory) / 65536.0;
    }

    /**
     * What the wearer does: the name of the likeliest activity in the enrolment or verification that is going on or was
     * begun last. Null before its first usable window, and for a network that tells none. No verdict depends on it.
     */
    public synchronized String activity() {
        int index = activity(memory);
        String name = activityName(memory, index);
        return index >= 0 && name == null ? "activity " + index : name;
    }

    /** How many times likelier that activity is than the second likeliest. */
    public synchronized double activityOdds() {
        return Math.exp(activityMargin(memory) / 65536.0);
    }

    /** The template's bytes, null without one; `key`: 32 secret bytes of this device, or null. */
    public synchronized byte[] store(byte[] key) {
        return store(memory, key);
    }

    /** DONE, or why these bytes are not a template of this model and device. */
    public synchronized Result load(byte[] stored, byte[] key) {
        return RESULTS[load(memory, stored, key)];
    }

    private static native int bytes();

    private static native int init(ByteBuffer memory, int fs, boolean gainKnown);

    private static native int push(ByteBuffer memory, int[] samples, int count);

    private static native int enrolBegin(ByteBuffer memory);

    private static native int nextPlacement(ByteBuffer memory);

    private static native int enrolFinish(ByteBuffer memory);

    private static native int verifyBegin(ByteBuffer memory);

    private static native int verifyFinish(ByteBuffer memory);

    private static native int update(ByteBuffer memory);

    private static native int poor(ByteBuffer memory);

    private static native int usable(ByteBuffer memory);

    private static native int placements(ByteBuffer memory);

    private static native int score(ByteBuffer memory);

    private static native int activity(ByteBuffer memory);

    private static native int activityMargin(ByteBuffer memory);

    private static native String activityName(ByteBuffer memory, int index);

    private static native void drop(ByteBuffer memory);

    private static native byte[] store(ByteBuffer memory, byte[] key);

    private static native int load(ByteBuffer memory, byte[] stored, byte[] key);
}
