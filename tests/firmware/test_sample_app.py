"""The sample app for Wear OS, which is not built here: what can be held without Android."""

import posixpath
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from ecgkd.bundle import golden
from ecgkd.bundle.pack import FIRMWARE, MODELS

ANDROID = Path(__file__).resolve().parents[2] / "firmware_stubs" / "android"
SAMPLE = ANDROID / "sample"
MAIN = SAMPLE / "app" / "src" / "main"
NAME = "{http://schemas.android.com/apk/res/android}name"
JAVA_TO_C = {
    "ByteBuffer": "jobject",
    "byte[]": "jbyteArray",
    "int[]": "jintArray",
    "int": "jint",
    "boolean": "jboolean",
}
Signatures = dict[str, list[str]]


@pytest.fixture(scope="module")
def kotlin() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(MAIN.rglob("*.kt")))


@pytest.fixture(scope="module")
def java() -> str:
    return (ANDROID / "java" / "org" / "ecgkd" / "OwnerCheck.java").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def gradle() -> str:
    return (SAMPLE / "app" / "build.gradle.kts").read_text(encoding="utf-8")


def first(pattern: str, text: str) -> str:
    """Returns what the pattern's group holds where it is first met."""
    found = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"nothing like {pattern}"
    return found.group(1)


def types(arguments: str) -> list[str]:
    """Returns the types of a list of parameters in Java or C."""
    return [" ".join(one.split()).rpartition(" ")[0] for one in arguments.split(",")] if arguments.strip() else []


def natives_of_java(java: str) -> Signatures:
    found = re.findall(r"private static native [\w\[\]]+ (\w+)\((.*?)\);", java)
    return {name: [JAVA_TO_C[one] for one in types(arguments)] for name, arguments in found}


def natives_of_c() -> Signatures:
    source = (ANDROID / "jni" / "ecgkd_jni.c").read_text(encoding="utf-8")
    found = re.findall(r"JNICALL Java_org_ecgkd_OwnerCheck_(\w+)\(([^)]*)\)", source)
    whole = {name: types(arguments)[2:] for name, arguments in found if "##" not in arguments}
    simple = {name: ["jobject"] for name in re.findall(r"^SIMPLE\((\w+),", source, re.MULTILINE)}
    return {name: arguments for name, arguments in (whole | simple).items() if name}


def resources() -> dict[str, set[str]]:
    """Returns the names that `R.string`, `R.id` and `R.layout` have."""
    layouts = sorted((MAIN / "res" / "layout").glob("*.xml"))
    strings = ElementTree.parse(MAIN / "res" / "values" / "strings.xml").getroot()
    ids = re.findall(r'"@\+id/(\w+)"', "".join(path.read_text(encoding="utf-8") for path in layouts))
    return {
        "string": {str(one.get("name")) for one in strings},
        "id": set(ids),
        "layout": {path.stem for path in layouts},
    }


def permissions_in(text: str) -> set[str]:
    """Returns the permissions that Kotlin code names, by Android's constants or in full."""
    short = {f"android.permission.{name}" for name in re.findall(r"\bManifest\.permission\.(\w+)", text)}
    return short | set(re.findall(r'"([\w.]+\.permission\.[\w.]+)"', text))


def manifest() -> ElementTree.Element:
    return ElementTree.parse(MAIN / "AndroidManifest.xml").getroot()


def test_what_kotlin_calls_of_the_owner_check_is_public_in_java(kotlin: str, java: str) -> None:
    called = set(re.findall(r"\bcheck\.(\w+)\(", kotlin))
    constants = set(re.findall(r"\b(?:OwnerCheck|Result)\.([A-Z_]+)\b", kotlin))
    methods = set(re.findall(r"public synchronized [\w\[\]]+ (\w+)\(", java))
    results = {name.strip() for name in first(r"enum Result \{(.*?)\}", java).split(",")}

    assert {"beginEnrolment", "finishEnrolment", "beginVerification", "push"} <= called <= methods
    assert constants <= results | set(re.findall(r"public static final int (\w+)", java))


def test_java_and_c_have_the_same_native_methods_with_the_same_parameters(java: str) -> None:
    declared = natives_of_java(java)

    assert declared == natives_of_c()
    assert set(re.findall(r"\b(\w+)\(memory\b", java)) | {"bytes"} == set(declared)


def test_the_manifest_asks_for_the_permissions_that_the_code_checks(kotlin: str) -> None:
    asked = {one.get(NAME): one.attrib for one in manifest().iter("uses-permission")}
    newest = asked["android.permission.BODY_SENSORS"][NAME.replace("name", "maxSdkVersion")]

    assert set(asked) == permissions_in(kotlin)
    assert f"private const val ANDROID_16 = {int(newest) + 1}" in kotlin


def test_the_activity_of_the_manifest_is_a_class_of_the_app(kotlin: str, gradle: str) -> None:
    activities = [str(one.get(NAME)) for one in manifest().iter("activity")]

    assert activities == [".MainActivity"]
    assert "class MainActivity : Activity()" in kotlin
    package = first(r'namespace = "([\w.]+)"', gradle)
    assert (MAIN / "kotlin" / package.replace(".", "/") / "MainActivity.kt").is_file()


def test_every_text_button_and_layout_that_is_named_exists_and_none_is_idle(kotlin: str) -> None:
    xml = "".join(path.read_text(encoding="utf-8") for path in MAIN.rglob("*.xml"))
    used = {kind: set(re.findall(rf"\bR\.{kind}\.(\w+)", kotlin)) for kind in ("string", "id", "layout")}
    used["string"] |= set(re.findall(r'"@string/(\w+)"', xml))

    assert used == resources()


def test_paths_and_options_of_the_gradle_files_lead_somewhere(gradle: str) -> None:
    cmake = (ANDROID / "CMakeLists.txt").read_text(encoding="utf-8")
    settings = (SAMPLE / "settings.gradle.kts").read_text(encoding="utf-8")
    module = SAMPLE / first(r'include\(":(\w+)"\)', settings)

    assert (module / "build.gradle.kts").is_file()
    assert (module / first(r'path = file\("(.+?)"\)', gradle)).resolve() == ANDROID / "CMakeLists.txt"
    assert (module / first(r'java\.srcDir\("(.+?)"\)', gradle) / "org" / "ecgkd" / "OwnerCheck.java").is_file()
    options = re.findall(r"-D(\w+)=", gradle)
    assert options == ["ECGKD_NETWORK", "ECGKD_NAME"]
    assert all(f"${{{option}}}" in cmake for option in options)
    assert re.findall(r'"(arm64-v8a|armeabi-v7a|x86_64)"', gradle) == ["arm64-v8a", "armeabi-v7a", "x86_64"]


def test_a_sample_inside_a_bundle_finds_models_and_golden_recordings(gradle: str, kotlin: str) -> None:
    properties = (SAMPLE / "gradle.properties").read_text(encoding="utf-8")
    bundle = posixpath.join(FIRMWARE, "android", "sample", first(r"^ecgkd\.bundle=(\S+)$", properties))

    assert posixpath.normpath(bundle) == "."
    assert f'bundle.resolve("{MODELS}")' in gradle
    assert f'bundle.resolve("{golden.FOLDER}")' in gradle
    assert set(re.findall(r'"(\w+)\.i16"', kotlin)) == set(golden.ROLES)
    assert f"GOLDEN_FS = {golden.FS}\n" in kotlin


def test_the_readme_is_short_and_says_that_nothing_is_built_here() -> None:
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")

    assert "Not built here" in text
    assert 10 <= len(text.splitlines()) <= 20
