import java.util.Arrays;
import java.util.Random;
import org.ecgkd.OwnerCheck;
import org.ecgkd.OwnerCheck.Result;

/** Enrols, stores, loads and verifies through JNI; says what was not as it should be and ends with 1. */
public final class Check {
    private static final int FS = 512;
    private static int wrong;

    private static void expect(String what, Object actual, Object expected) {
        if (!actual.equals(expected)) {
            System.out.println(what + ": " + actual + ", expected " + expected);
            wrong++;
        }
    }

    /** Beats of `width` s, followed by a dip of so many µV: the person's own. */
    private static int[] heart(double seconds, double width, double dip, long seed) {
        Random random = new Random(seed);
        int[] x = new int[(int) (seconds * FS)];
        for (int i = 0; i < x.length; i++) {
            double t = (i / (double) FS) % 0.83 - 0.3;
            double beat = 1000 * Math.exp(-t * t / (2 * width * width)) + 200 * Math.exp(-(t - 0.28) * (t - 0.28) / 0.005);
            double after = dip * Math.exp(-(t - 0.03) * (t - 0.03) / (2 * width * width));
            x[i] = (int) Math.round(150000 + beat - after + 8 * random.nextGaussian());
        }
        return x;
    }

    private static Result push(OwnerCheck check, int[] x) {
        return check.push(x, x.length);
    }

    private static OwnerCheck fresh(byte[] stored, byte[] key) {
        OwnerCheck check = new OwnerCheck(FS, true);
        expect("load", check.load(stored, key), Result.DONE);
        check.beginVerification();
        return check;
    }

    public static void main(String[] arguments) {
        byte[] key = new byte[32];
        Arrays.fill(key, (byte) 7);
        OwnerCheck check = new OwnerCheck(FS, true);
        expect("nothing begun", push(check, new int[3]), Result.BAD_STATE);
        expect("nothing told", check.activity() == null, true);
        expect("nobody enrolled", check.beginVerification(), Result.OTHER_MODEL);
        check.beginEnrolment();
        expect("twelve seconds", push(check, heart(12.5, 0.012, 0, 1)), Result.WINDOW_TAKEN);
        check.nextPlacement();
        expect("twelve more", push(check, heart(12.5, 0.0125, 0, 2)), Result.WINDOW_TAKEN);
        expect("a flat line", push(check, new int[4 * FS]), Result.WINDOW_POOR);
        expect("is said to be flat", check.poor() & OwnerCheck.POOR_FLAT, OwnerCheck.POOR_FLAT);
        expect("windows", check.usableWindows(), 6);
        expect("enrolled", check.finishEnrolment(), Result.DONE);
        expect("placements", check.placements(), 2);
        byte[] stored = check.store(key);
        expect("stored", stored.length, 48 + 4 * 8);
        expect("another key", check.load(stored, new byte[32]), Result.OTHER_KEY);
        expect("a short key", check.load(stored, new byte[3]), Result.BAD_ARGUMENT);
        expect("cut", check.load(Arrays.copyOf(stored, 40), key), Result.DAMAGED);
        expect("the owner", push(fresh(stored, key), heart(16, 0.012, 0, 3)), Result.ACCEPTED);
        expect("a stranger", push(fresh(stored, key), heart(16, 0.012, 700, 4)), Result.REFUSED);
        OwnerCheck mine = fresh(stored, key);
        push(mine, heart(16, 0.012, 0, 5));
        expect("a score", mine.score() > 0.9, true);
        expect("an activity", mine.activity(), "rest");
        expect("odds", mine.activityOdds() > 1 && mine.activityOdds() < 200, true);
        expect("a step of ageing", mine.updateAfterConfirmation(), Result.DONE);
        expect("once", mine.updateAfterConfirmation(), Result.BAD_STATE);
        OwnerCheck short_ = fresh(stored, key);
        push(short_, heart(3, 0.012, 0, 6));
        expect("too short", short_.finishVerification(), Result.NO_DECISION);
        try {
            new OwnerCheck(333, true);
            expect("333 Hz", "taken", "refused");
        } catch (IllegalArgumentException refused) {
            expect("333 Hz", refused.getMessage(), "no owner check at 333 Hz: BAD_ARGUMENT");
        }
        System.out.println(wrong + " wrong");
        System.exit(wrong == 0 ? 0 : 1);
    }
}
