package org.ecgkd.sample

import android.content.res.AssetManager
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val CHUNKS_A_SECOND = 4

/** Replays one of the app's assets at the speed of life: int16, little-endian, µV, as in a bundle's golden/. */
class ReplaySource(private val assets: AssetManager, private val name: String, override val fs: Int) : EcgSource {
    override val permissions = emptyList<String>()

    private val recording by lazy {
        val bytes = assets.open(name).use { it.readBytes() }
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer()
    }

    override fun read(): IntArray? {
        if (!recording.hasRemaining()) return null
        Thread.sleep(1000L / CHUNKS_A_SECOND)
        return IntArray(minOf(fs / CHUNKS_A_SECOND, recording.remaining())) { recording.get().toInt() }
    }

    override fun close() = Unit
}
