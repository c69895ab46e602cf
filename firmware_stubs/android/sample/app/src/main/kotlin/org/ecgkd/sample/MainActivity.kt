package org.ecgkd.sample

import android.app.Activity
import android.content.pm.PackageManager
import android.os.Bundle
import android.widget.Button
import android.widget.TextView
import kotlin.concurrent.thread
import org.ecgkd.OwnerCheck
import org.ecgkd.OwnerCheck.Result

private const val GOLDEN_FS = 512
private const val ENROL = "enrol.i16"
private const val OWNER = "owner.i16"
private const val STRANGER = "stranger.i16"
private val BUTTONS = listOf(R.id.enrol, R.id.verify, R.id.stranger, R.id.forget)

/** Where texts go, from any thread. */
interface Screen {
    fun tell(text: Int, vararg values: Any)
}

/** The one screen: enrol, verify, forget. */
class MainActivity : Activity(), Screen {
    private lateinit var store: OwnerStore
    private var measuring: Thread? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        store = OwnerStore(noBackupFilesDir)
        onTap(R.id.enrol) { measure(ENROL, ::enrol) }
        onTap(R.id.verify) { ifEnrolled { measure(OWNER, ::verify) } }
        onTap(R.id.stranger) { ifEnrolled { measure(STRANGER, ::verify) } }
        onTap(R.id.forget) {
            store.forget()
            tell(R.string.forgotten)
        }
    }

    override fun onStop() {
        measuring?.interrupt()
        super.onStop()
    }

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) {
        val granted = grantResults.isNotEmpty() && grantResults.all { it == PackageManager.PERMISSION_GRANTED }
        tell(if (granted) R.string.ready else R.string.no_permission)
    }

    override fun tell(text: Int, vararg values: Any) = runOnUiThread {
        findViewById<TextView>(R.id.message).text = getString(text, *values)
    }

    /** Shows a result and, where the network tells it, what the wearer was doing. */
    private fun tellResult(result: Result, activity: String?) {
        val text = textOf(result)
        if (activity == null) tell(text, result.name)
        else tell(R.string.while_doing, getString(text, result.name), activity)
    }

    /** The ECG that is measured: a replay of one of the bundle's golden recordings. On a watch: a [WatchSource]. */
    private fun source(recording: String): EcgSource = ReplaySource(assets, recording, GOLDEN_FS)

    /** Runs `task` on a thread of its own, for the network takes its time; asks for missing permissions instead. */
    private fun measure(recording: String, task: (OwnerCheck, EcgSource, OwnerStore, Screen) -> Result) {
        val source = source(recording)
        val missing = source.permissions.filter { checkSelfPermission(it) != PackageManager.PERMISSION_GRANTED }
        if (missing.isNotEmpty()) {
            requestPermissions(missing.toTypedArray(), 0)
            return
        }
        enable(false)
        tell(R.string.ready)
        measuring = thread(name = "owner check") {
            try {
                source.use {
                    val check = OwnerCheck(it.fs, true)
                    tellResult(task(check, it, store, this), check.activity())
                }
            } catch (left: InterruptedException) {
                tell(R.string.ready)
            } catch (failed: Exception) {
                tell(R.string.failed, failed.toString())
            } finally {
                runOnUiThread { enable(true) }
            }
        }
    }

    private fun ifEnrolled(action: () -> Unit) = if (store.hasOwner) action() else tell(R.string.enrol_first)

    private fun onTap(button: Int, action: () -> Unit) = findViewById<Button>(button).setOnClickListener { action() }

    private fun enable(on: Boolean) = BUTTONS.forEach { findViewById<Button>(it).isEnabled = on }
}
