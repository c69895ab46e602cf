package org.ecgkd.sample

import org.ecgkd.OwnerCheck
import org.ecgkd.OwnerCheck.Result

private const val WINDOWS = 12

/**
 * Enrols whoever wears the watch from 48 s of usable ECG, in two placements where the finger is lifted half-way.
 *
 * Returns DONE, TOO_FEW or INCONSISTENT. An app that protects something asks for its PIN before.
 */
fun enrol(check: OwnerCheck, source: EcgSource, store: OwnerStore, screen: Screen): Result {
    check.beginEnrolment()
    while (check.usableWindows() < WINDOWS) {
        val samples = source.read() ?: break
        if (samples.isEmpty()) {
            check.nextPlacement()
        } else when (check.push(samples, samples.size)) {
            Result.WINDOW_TAKEN -> ask(check.usableWindows(), screen)
            Result.WINDOW_POOR -> screen.tell(textOfPoor(check.poor()))
            else -> Unit
        }
    }
    val result = check.finishEnrolment()
    if (result == Result.DONE) store.keep(check)
    return result
}

private fun ask(windows: Int, screen: Screen) =
    if (windows == WINDOWS / 2) screen.tell(R.string.lift) else screen.tell(R.string.window, windows, WINDOWS)
