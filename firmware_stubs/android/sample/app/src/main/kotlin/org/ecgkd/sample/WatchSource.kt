package org.ecgkd.sample

import android.Manifest
import android.os.Build
import java.util.concurrent.LinkedBlockingQueue
import kotlin.math.roundToInt
import org.ecgkd.OwnerCheck

private const val ANDROID_16 = 36
private const val SAMSUNG_ECG = "com.samsung.android.hardware.sensormanager.permission.READ_ADDITIONAL_HEALTH_DATA"

/** The electrodes of a watch, behind its maker's SDK. */
interface EcgSensor {
    /** Begins to measure; `take`, called on any one thread: samples in mV, and whether both electrodes are touched. */
    fun begin(take: (millivolts: FloatArray, touched: Boolean) -> Unit)

    fun end()
}

/** The ECG of the watch itself: what the sensor's callback brings waits in a queue until it is read. */
class WatchSource(override val fs: Int, private val sensor: EcgSensor) : EcgSource {
    override val permissions =
        listOf(if (Build.VERSION.SDK_INT >= ANDROID_16) SAMSUNG_ECG else Manifest.permission.BODY_SENSORS)

    private val arrived = LinkedBlockingQueue<IntArray>()
    private var begun = false
    private var touching = false

    override fun read(): IntArray? {
        if (!begun) {
            begun = true
            sensor.begin(this::take)
        }
        return arrived.take()
    }

    override fun close() {
        if (begun) sensor.end()
    }

    private fun take(millivolts: FloatArray, touched: Boolean) {
        if (touched) {
            arrived.put(IntArray(millivolts.size) { microvolts(millivolts[it]) })
        } else if (touching) {
            arrived.put(IntArray(0))
        }
        touching = touched
    }

    private fun microvolts(millivolts: Float): Int =
        if (millivolts.isNaN()) OwnerCheck.MISSING else (1000 * millivolts).roundToInt()
}
