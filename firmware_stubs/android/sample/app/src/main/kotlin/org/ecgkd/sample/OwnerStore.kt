package org.ecgkd.sample

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import android.util.AtomicFile
import java.io.File
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import org.ecgkd.OwnerCheck

private const val KEYSTORE = "AndroidKeyStore"
private const val ALIAS = "ecgkd"
private const val CIPHER = "AES/GCM/NoPadding"
private const val KEY_BYTES = 32
private const val IV_BYTES = 12
private const val TAG_BITS = 128

/**
 * Keeps the owner's template in a private folder that is not backed up.
 *
 * The template is rotated and authenticated by 32 random bytes of this watch. The owner check needs these bytes
 * themselves, and a key of the Android Keystore never leaves it; so they are stored encrypted by such a key and lie in
 * the open only while they are used.
 */
class OwnerStore(folder: File) {
    private val template = AtomicFile(File(folder, "owner.template"))
    private val encryptedKey = AtomicFile(File(folder, "device.key"))
    private val keystore: KeyStore by lazy { KeyStore.getInstance(KEYSTORE).apply { load(null) } }

    val hasOwner: Boolean
        get() = template.baseFile.exists()

    /** Stores the template that `check` has enrolled. */
    fun keep(check: OwnerCheck) = withDeviceKey { key -> write(template, checkNotNull(check.store(key))) }

    /** Hands the stored template to `check`; DONE, or why it is not one of this model and watch. */
    fun load(check: OwnerCheck): OwnerCheck.Result = withDeviceKey { key -> check.load(template.readFully(), key) }

    /** Deletes template and key; nothing is left that could be matched. */
    fun forget() {
        template.delete()
        encryptedKey.delete()
        keystore.deleteEntry(ALIAS)
    }

    private fun <T> withDeviceKey(use: (ByteArray) -> T): T {
        val key = if (encryptedKey.baseFile.exists()) decrypted(encryptedKey.readFully()) else newKey()
        try {
            return use(key)
        } finally {
            key.fill(0)
        }
    }

    private fun newKey(): ByteArray {
        val key = ByteArray(KEY_BYTES).also { SecureRandom().nextBytes(it) }
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, keystoreKey())
        write(encryptedKey, cipher.iv + cipher.doFinal(key))
        return key
    }

    private fun decrypted(stored: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, keystoreKey(), GCMParameterSpec(TAG_BITS, stored, 0, IV_BYTES))
        return cipher.doFinal(stored, IV_BYTES, stored.size - IV_BYTES)
    }

    private fun keystoreKey(): SecretKey = keystore.getKey(ALIAS, null) as SecretKey? ?: newKeystoreKey()

    private fun newKeystoreKey(): SecretKey {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val key = KeyGenParameterSpec.Builder(ALIAS, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(8 * KEY_BYTES)
            .build()
        val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE)
        generator.init(key)
        return generator.generateKey()
    }

    private fun write(file: AtomicFile, content: ByteArray) {
        val stream = file.startWrite()
        try {
            stream.write(content)
            file.finishWrite(stream)
        } catch (failed: Exception) {
            file.failWrite(stream)
            throw failed
        }
    }
}
