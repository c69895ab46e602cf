package org.ecgkd.sample

import org.ecgkd.OwnerCheck
import org.ecgkd.OwnerCheck.Result

/**
 * Decides whether the wearer is the enrolled owner, often after one or two windows of 4 s.
 *
 * Returns ACCEPTED, REFUSED or NO_DECISION, or why the stored template cannot be used. An app that protects something
 * asks for its PIN after a few refusals.
 */
fun verify(check: OwnerCheck, source: EcgSource, store: OwnerStore, screen: Screen): Result {
    val loaded = store.load(check)
    if (loaded != Result.DONE) return loaded
    check.beginVerification()
    while (true) {
        val samples = source.read() ?: return check.finishVerification()
        if (samples.isEmpty()) {
            check.dropSamples()
            continue
        }
        val result = check.push(samples, samples.size)
        when {
            result >= Result.ACCEPTED -> return result
            result == Result.WINDOW_TAKEN -> screen.tell(R.string.one_more_window)
            result == Result.WINDOW_POOR -> screen.tell(textOfPoor(check.poor()))
        }
    }
}
