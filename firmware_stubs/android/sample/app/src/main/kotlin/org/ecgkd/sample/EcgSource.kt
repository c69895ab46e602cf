package org.ecgkd.sample

import java.io.Closeable

/**
 * Where samples of one ECG lead come from.
 *
 * Android has none to offer: among the types of its public SensorManager there is a heart rate and a heart beat, but no
 * ECG. The electrodes of a watch are reached through its maker's own SDK, whose licence keeps it out of this sample:
 *
 * - Samsung Galaxy Watch4 and later: Samsung Health Sensor SDK, tracker `HealthTrackerType.ECG_ON_DEMAND`, 500 Hz. Its
 *   listener gets lists of data points; `ValueKey.EcgSet.ECG_MV` is one sample in mV, `LEAD_OFF` is 0 while both
 *   electrodes are touched. Samsung admits an app to it (partner programme; developer mode for trials).
 * - Another watch, or a watch of your own: whatever hands you samples at one of the front end's rates.
 *
 * Write an [EcgSensor] around that SDK, pass it to [WatchSource], and return that from MainActivity.source.
 * [ReplaySource] needs no sensor.
 */
interface EcgSource : Closeable {
    /** Hz: 100, 125, 128, 200, 250, 256, 300, 360, 500, 512 or 1000. */
    val fs: Int

    /** What the app must hold before it reads. */
    val permissions: List<String>

    /**
     * Waits for samples and returns them, µV in time order; none where the electrodes were let go, null at the end.
     *
     * @throws InterruptedException where the reading thread is interrupted meanwhile
     */
    fun read(): IntArray?
}
