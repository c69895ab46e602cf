package org.ecgkd.sample

import org.ecgkd.OwnerCheck
import org.ecgkd.OwnerCheck.Result

private const val CONTACT = OwnerCheck.POOR_FLAT or OwnerCheck.POOR_MISSING
private const val MOVEMENT = OwnerCheck.POOR_STEP or OwnerCheck.POOR_CLIPPED or OwnerCheck.POOR_POWER

/** What a person reads of a result; `%1$s`, where the text has it, is the result's name. */
fun textOf(result: Result): Int = when (result) {
    Result.DONE -> R.string.enrolled
    Result.TOO_FEW -> R.string.too_few
    Result.INCONSISTENT -> R.string.inconsistent
    Result.ACCEPTED -> R.string.accepted
    Result.REFUSED -> R.string.refused
    Result.NO_DECISION -> R.string.no_decision
    Result.DAMAGED, Result.OTHER_MODEL, Result.OTHER_VERSION, Result.OTHER_KEY -> R.string.template_unusable
    else -> R.string.unexpected
}

/** What to do about a window that was left out, by its POOR_ bits. */
fun textOfPoor(reasons: Int): Int = when {
    reasons and CONTACT != 0 -> R.string.poor_contact
    reasons and MOVEMENT != 0 -> R.string.poor_movement
    else -> R.string.poor_signal
}
