"""Sets of recordings that ecgkd knows: what they are for, their traps, licences, how to cite and where to get them."""

from dataclasses import dataclass

from ecgkd.data.rules import Rule
from ecgkd.errors import UsageError

PHYSIONET_CITE = (
    "Goldberger A. et al. PhysioBank, PhysioToolkit, and PhysioNet: Components of a new research resource for complex "
    "physiologic signals. Circulation 101(23):e215-e220, 2000"
)


@dataclass(frozen=True)
class Corpus:
    """One known set of recordings."""

    key: str
    """What `ecgkd data download` and `data prepare` call it."""
    name: str
    people: str
    records: str
    fs: str
    """Hz."""
    leads: str
    size: str
    """Of the download, about."""
    licence: str
    cite: str
    doi: str
    use: str
    traps: str
    slug: str = ""
    """PhysioNet project; empty where the set lies elsewhere."""
    version: str = ""
    where: str = ""
    """How to get it where `data download` cannot."""
    rule: Rule | None = None
    """How `data prepare` tells its people apart; None where a table or a pattern is needed."""

    @property
    def downloadable(self) -> bool:
        return bool(self.slug)

    @property
    def citation(self) -> str:
        return f"{self.cite}; {PHYSIONET_CITE}" if self.slug else self.cite


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
        key="scientisst",
        name="ScientISST MOVE",
        people="17",
        records="about 37 min for each person",
        fs="500",
        leads="chest, dry and gel electrodes",
        size="see its page",
        licence="ODC-BY-1.0 (check its page)",
        cite="Areias Saraiva J. et al. ScientISST MOVE: Annotated Wearable Multimodal Biosignals recorded during "
        "Everyday Life Activities in Naturalistic Environments, version 1.0.1. PhysioNet, 2024",
        doi="10.13026/hyxq-r919",
        use="wearable ECG in motion: lifting, greeting, gesticulating, walking, running",
        traps="one sitting for each person; activities are EDF+ annotations with a duration, by which `data prepare` "
        "cuts; other signals stand beside the ECG",
        slug="scientisst-move-biosignals",
        version="1.0.1",
        rule=Rule(
            pattern=r"(?P<subject>\w{4})/scientisst_chest",
            subject="move{subject}",
            lead="ecg:dry",
            labels="annotations",
            activities=(
                ("baseline", "rest"),
                ("lift", "lifting"),
                ("greet", "greeting"),
                ("gesticul", "gesticulating"),
                ("jump", "jumping"),
                ("walk", "walk"),
                ("run", "run"),
            ),
            strict=False,
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
        key="gudb",
        name="Glasgow University ECG Database",
        people="25",
        records="125 of 2 min",
        fs="250",
        leads="II, III and a chest strap (about V2-V1)",
        size="see its page",
        licence="see its page",
        cite="Howell L., Porr B. High precision ECG Database with annotated R peaks, recorded and filmed under "
        "realistic conditions. University of Glasgow, 2018",
        doi="10.5525/gla.researchdata.716",
        use="five activities: sitting, maths, walking, jogging, hand bike; the nearest public thing to DT4ECG's set",
        traps="one sitting for each person: identity is tested within a session by construction; test activity on "
        "people who are not in training; `--lead 1,2,3` takes all three leads",
        where="https://researchdata.gla.ac.uk/716/ or https://github.com/berndporr/ECG-GUDB (docs/experiment_data)",
        rule=Rule(
            pattern=r"(?:.*/)?subject_(?P<subject>\d+)/(?P<activity>\w+)/ECG",
            subject="gu{subject}",
            activities=(("sitting", "rest"), ("walking", "walk"), ("jogging", "run"), ("hand_bike", "arms")),
            lead="2",
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
    Corpus(
        key="mhealth",
        name="MHEALTH",
        people="10",
        records="12 activities of about 1 min",
        fs="50",
        leads="2 (chest)",
        size="75 MB",
        licence="CC-BY-4.0 (check its page)",
        cite="Banos O. et al. mHealthDroid: a novel framework for agile development of mobile health applications. "
        "IWAAL 2014, 91-98",
        doi="10.24432/C5TW22",
        use="activity; not identity",
        traps="50 Hz, brought to 100 by `data prepare`: nothing above 25 Hz is in it, so its beats are blunt",
        where="https://archive.ics.uci.edu/dataset/319/mhealth+dataset",
        rule=Rule(
            pattern=r"(?:.*/)?mHealth_subject(?P<subject>\d+)",
            subject="mh{subject}",
            lead="ECG 1",
            labels="mhealth",
            activities=(
                ("1", "standing"),
                ("2", "rest"),
                ("3", "lying"),
                ("4", "walk"),
                ("5", "stairs"),
                ("6", "bends"),
                ("7", "arms"),
                ("8", "squat"),
                ("9", "cycling"),
                ("10", "jog"),
                ("11", "run"),
                ("12", "jumping"),
            ),
            endings=(".log",),
            resample=100,
            strict=False,
        ),
    ),
    Corpus(
        key="dalia",
        name="PPG-DaLiA",
        people="15",
        records="about 2.5 h for each person",
        fs="700",
        leads="chest belt",
        size="3 GB",
        licence="CC-BY-4.0 (check its page)",
        cite="Reiss A. et al. Deep PPG: Large-scale heart rate estimation with convolutional neural networks. Sensors "
        "19(14):3079, 2019",
        doi="10.24432/C53890",
        use="eight activities of daily life: sitting, stairs, table soccer, cycling, driving, lunch, walking, working",
        traps="one sitting for each person; 700 Hz, brought to 500 by `data prepare`; pickled files, of which only "
        "arrays are taken",
        where="https://archive.ics.uci.edu/dataset/495/ppg+dalia",
        rule=Rule(
            pattern=r"(?:.*/)?S(?P<subject>\d+)/S\d+",
            subject="dalia{subject}",
            labels="respiban",
            activities=(
                ("1", "rest"),
                ("2", "stairs"),
                ("3", "table soccer"),
                ("4", "cycling"),
                ("5", "driving"),
                ("6", "lunch"),
                ("7", "walk"),
                ("8", "working"),
            ),
            endings=(".pkl",),
            resample=500,
            strict=False,
        ),
    ),
    Corpus(
        key="wesad",
        name="WESAD",
        people="15",
        records="about 90 min for each person",
        fs="700",
        leads="chest belt",
        size="2.5 GB",
        licence="for non-commercial use (see its page)",
        cite="Schmidt P. et al. Introducing WESAD, a multimodal dataset for wearable stress and affect detection. ICMI "
        "2018, 400-408",
        doi="10.24432/C57K5T",
        use="rest, stress, amusement, meditation: the heart without motion",
        traps="one sitting for each person; conditions of the mind, not motion; 700 Hz, brought to 500 by `data "
        "prepare`; pickled files, of which only arrays are taken",
        where="https://archive.ics.uci.edu/dataset/465/wesad+wearable+stress+and+affect+detection",
        rule=Rule(
            pattern=r"(?:.*/)?S(?P<subject>\d+)/S\d+",
            subject="wesad{subject}",
            labels="respiban",
            activities=(("1", "rest"), ("2", "stress"), ("3", "amusement"), ("4", "meditation")),
            endings=(".pkl",),
            resample=500,
            strict=False,
        ),
    ),
)


def find_corpus(key: str) -> Corpus:
    """Returns the known set of that name (or PhysioNet project). Raises: UsageError naming those there are."""
    for corpus in CATALOGUE:
        if key.lower() in (corpus.key, corpus.slug or None):
            return corpus
    raise UsageError(f"no set called {key!r} is known; there are {', '.join(corpus.key for corpus in CATALOGUE)}")
