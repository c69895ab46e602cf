plugins {
    id("com.android.application")
}

val bundle = rootProject.file(property("ecgkd.bundle") as String)
val models = bundle.resolve("models")
val suffix = "_decision.c"
val networks = models.list().orEmpty().filter { it.endsWith(suffix) }.map { it.removeSuffix(suffix) }
val network = findProperty("ecgkd.name") as String?
    ?: networks.singleOrNull()
    ?: error("$models: C networks with a decision: $networks; set ecgkd.bundle or ecgkd.name in gradle.properties")

android {
    namespace = "org.ecgkd.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "org.ecgkd.sample"
        minSdk = 30 // Wear OS 3
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") } // watches, older watches, the emulator
        externalNativeBuild {
            cmake { arguments += listOf("-DECGKD_NETWORK=${models.canonicalPath}", "-DECGKD_NAME=$network") }
        }
    }

    externalNativeBuild {
        cmake { path = file("../../CMakeLists.txt") }
    }

    sourceSets.named("main") {
        java.srcDir("../../java") // OwnerCheck.java
        assets.srcDir(bundle.resolve("golden")) // recordings to replay
    }
}
