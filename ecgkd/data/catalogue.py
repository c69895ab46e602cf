"""Sets of recordings that ecgkd knows: what they are for, their traps, licences, how to cite and where to get them."""

from ecgkd.data.catalogue_activities import ACTIVITY_SETS
from ecgkd.data.corpus import PHYSIONET_CITE, Corpus
from ecgkd.data.rules import Rule
from ecgkd.errors import UsageError

__all__ = ["CATALOGUE", "Corpus", "find_corpus"]

CATALOGUE = (
    Corpus(
        key="ecgid",
        name="ECG-ID Database",
        people="90",
        records="310 of 20 s",
        fs="500",
        leads="I",
        size="15 MB",
        licence="ODC-BY-1.0",
        cite="Lugovaya T.S. Biometric human identification based on electrocardiogram. Master's thesis, ETU LETI, "
        "Saint-Petersburg, 2005",
        doi="10.13026/C2J01F",
        use="identification at rest; cross-day verification of the 20 people with several days",
        traps="records 1 and 2 of a person are of one day: only the dates in the headers tell days apart; hum and "
        "drift in the raw channel; persons 1 and 2 have 20 and 22 records, person 74 has one",
        slug="ecgiddb",
        version="1.0.0",
        rule=Rule(
            pattern=r"Person_(?P<subject>\d+)/rec_\d+",
            subject="ecgid{subject}",
            activity="rest",
            lead="ECG I",
            strict=False,
        ),
    ),
    Corpus(
        key="ptbdb",
        name="PTB Diagnostic ECG Database",
        people="290",
        records="549 of about 2 min",
        fs="1000",
        leads="12 leads and Frank X, Y, Z",
        size="1.8 GB",
        licence="ODC-BY-1.0",
        cite="Bousseljot R., Kreiseler D., Schnabel A. Nutzung der EKG-Signaldatenbank CARDIODAT der PTB über das "
        "Internet. Biomedizinische Technik 40(s1):317, 1995",
        doi="10.13026/C28C71",
        use="cross-session verification of the 113 people with two or more records; comparison with papers",
        traps="mostly patients, whose ECG changes between records; no people 124, 132, 134 and 161; published numbers "
        "often use 12 leads or halves of one record",
        slug="ptbdb",
        version="1.0.0",
        rule=Rule(
            pattern=r"patient(?P<subject>\d+)/\w+", subject="ptb{subject}", activity="rest", lead="I", strict=False
        ),
    ),
    Corpus(
        key="ptbxl",
        name="PTB-XL",
        people="18,869",
        records="21,799 of 10 s",
        fs="500 and 100",
        leads="12",
        size="3 GB; 0.6 GB with --only 'records100/*'",
        licence="CC-BY-4.0",
        cite="Wagner P. et al. PTB-XL, a large publicly available electrocardiography dataset. Scientific Data 7:154, "
        "2020",
        doi="10.13026/kfzx-aw45",
        use="pre-training on many identities; impostors",
        traps="patients, many with atrial fibrillation; most have one record; dates are shifted by patient, intervals "
        "are true; do not test on people that weights were trained on",
        slug="ptb-xl",
        version="1.0.3",
        rule=Rule(
            table="ptbxl_database.csv",
            columns=(
                ("file", "filename_hr"),
                ("file", "filename_lr"),
                ("subject", "patient_id"),
                ("date", "recording_date"),
            ),
            subject="xl{subject:05d}",
            activity="rest",
            lead="I",
        ),
    ),
    Corpus(
        key="mitdb",
        name="MIT-BIH Arrhythmia Database",
        people="47",
        records="48 of 30 min",
        fs="360",
        leads="MLII and one of V1, V2, V4, V5",
        size="100 MB",
        licence="ODC-BY-1.0",
        cite="Moody G.B., Mark R.G. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng. in Med. and Biol. "
        "20(3):45-50, 2001",
        doi="10.13026/C2F305",
        use="behaviour with arrhythmia; peak detection (beats are annotated)",
        traps="one recording for each person, so never a test across sessions; 201 and 202 are one man; 102 and 104 "
        "have no MLII and are left out",
        slug="mitdb",
        version="1.0.0",
        rule=Rule(
            pattern=r"(?P<subject>(?!102|104)\d{3})",
            subject="mit{subject}",
            same=(("mit202", "mit201"),),
            activity="ambulatory",
            lead="MLII",
            strict=False,
        ),
    ),
    Corpus(
        key="nstdb",
        name="MIT-BIH Noise Stress Test Database",
        people="none",
        records="3 of noise, 12 of ECG with noise",
        fs="360",
        leads="2",
        size="30 MB",
        licence="ODC-BY-1.0",
        cite="Moody G.B., Muldrow W.E., Mark R.G. A noise stress test for arrhythmia detectors. Computers in "
        "Cardiology 11:381-384, 1984",
        doi="10.13026/C2HS3T",
        use="error against noise: bw (baseline wander), em (electrode motion), ma (muscle artefact)",
        traps="`data prepare` takes the three noise records only; there is no ECG in them",
        slug="nstdb",
        version="1.0.0",
        rule=Rule(pattern=r"(?P<subject>bw|em|ma)", subject="noise-{subject}", activity="noise", strict=False),
    ),
    Corpus(
        key="nsrdb",
        name="MIT-BIH Normal Sinus Rhythm Database",
        people="18",
        records="18 of about a day",
        fs="128",
        leads="2",
        size="0.6 GB",
        licence="ODC-BY-1.0",
        cite=PHYSIONET_CITE,
        doi="10.13026/C2NK5R",
        use="drift of one recording over a day",
        traps="one recording for each person: never a test across sessions; prepare it into a folder, not an NPZ file",
        slug="nsrdb",
        version="1.0.0",
        rule=Rule(
            pattern=r"(?P<subject>\d{5})", subject="nsr{subject}", activity="ambulatory", lead="ECG1", strict=False
        ),
    ),
    Corpus(
        key="heartprint",
        name="Heartprint",
        people="199",
        records="about 1,500 of 15 s",
        fs="250",
        leads="I (fingers)",
        size="50 MB",
        licence="CC-BY-4.0 as published with its data descriptor; archive page unchecked",
        cite="Islam M.S. et al. Heartprint: A Dataset of Multisession ECG Signal with Long Interval Captured from "
        "Fingers for Biometric Recognition. Data 7(10):141, 2022",
        doi="10.3390/data7100141",
        use="the nearest public thing to a watch: verification across weeks to nine years",
        traps="the unit of amplitude is not stated; exact copies stand in several sessions (`data prepare` leaves them "
        "out); some dates in file names contradict each other; sessions 3R and 3L are one visit",
        where="the archive named in the data descriptor (doi above); unpack it and run `ecgkd data prepare FOLDER`",
        rule=Rule(
            pattern=r"(?:.*/)?Session-(?P<session>\d)[RL]?/(?P<subject>\d{3})/[^/]+",
            subject="hp{subject}",
            activity="rest",
            fs=250,
            strict=False,
        ),
    ),
    Corpus(
        key="cybhi",
        name="Check Your Biosignals Here initiative",
        people="128, 63 of them over the long term",
        records="two sessions three months apart (long term)",
        fs="1000",
        leads="I (palms and fingers)",
        size="see its page",
        licence="see its page",
        cite="da Silva H.P. et al. Check Your Biosignals Here: A new dataset for off-the-person ECG biometrics. "
        "Computer Methods and Programs in Biomedicine 113(2):503-514, 2014",
        doi="10.1016/j.cmpb.2013.11.017",
        use="off-the-person verification across months",
        traps="dry electrodes, much noise; needs --table or --pattern",
        where="the authors' pages (doi above)",
    ),
    Corpus(
        key="uoftdb",
        name="University of Toronto ECG Database",
        people="1,019",
        records="up to six sessions over six months",
        fs="200",
        leads="I (fingers)",
        size="-",
        licence="on request",
        cite="Wahabi S. et al. On evaluating ECG biometric systems: session-dependence and body posture. IEEE Trans. "
        "Inf. Forensics and Security 9(11):2002-2013, 2014",
        doi="",
        use="verification of many people by fingers",
        traps="given out by its authors only",
        where="by request to the authors",
    ),
    *ACTIVITY_SETS,
)


def find_corpus(key: str) -> Corpus:
    """Returns the known set of that name (or PhysioNet project). Raises: UsageError naming those there are."""
    wanted = key.lower().replace("-", "_")
    for corpus in CATALOGUE:
        names = (corpus.key, corpus.slug, *corpus.also)
        if wanted in [name.replace("-", "_") for name in names if name]:
            return corpus
    raise UsageError(f"no set called {key!r} is known; there are {', '.join(corpus.key for corpus in CATALOGUE)}")
