"""Sets whose people do several things while they are recorded. Sources of what is said here: docs/data.md."""

from ecgkd.data.corpus import Corpus, Offer, Remote
from ecgkd.data.rules import Rule

_GUDB_ADDRESS = "https://berndporr.github.io/ECG-GUDB/experiment_data"
_GUDB_FILES = tuple(
    f"subject_{person:02d}/{activity}/ECG.tsv"
    for person in range(25)
    for activity in ("sitting", "maths", "walking", "hand_bike", "jogging")
)
_UCI = "https://archive.ics.uci.edu/static/public"
_SCIEBO = "https://uni-siegen.sciebo.de/s"

ACTIVITY_SETS = (
    Corpus(
        key="gudb",
        name="Glasgow University ECG Database",
        people="25",
        records="125 of 2 min",
        fs="250",
        leads="II, III, V2-V1 (chest strap)",
        size="0.2 to 0.6 GB",
        licence="unchecked, see its page (the package that reads it is GPL-3.0)",
        cite="Howell L., Porr B. High precision ECG Database with annotated R peaks, recorded and filmed under "
        "realistic conditions. University of Glasgow, 2018",
        doi="10.5525/gla.researchdata.716",
        use="five activities: sitting, maths, walking, jogging, hand bike; the nearest public thing to DT4ECG's set",
        traps="one sitting for each person: identity is tested within a session by construction; test activity on "
        "people who are not in training; the amplifier passes DC, so `data prepare` takes each lead's offset off; the "
        "strap is another electrode than II and III",
        where="https://researchdata.gla.ac.uk/716/ (with the videos) or https://github.com/berndporr/ECG-GUDB",
        offer=Offer(
            page="https://researchdata.gla.ac.uk/716/",
            files=tuple(Remote(name, (f"{_GUDB_ADDRESS}/{name}",)) for name in _GUDB_FILES),
            take=("*subject_*/*/ECG.tsv",),
            room=600_000_000,
            most=6_000_000_000,
        ),
        rule=Rule(
            pattern=r"(?:.*/)?subject_(?P<subject>\d+)/(?P<activity>\w+)/ECG",
            subject="gu{subject}",
            activities=(("sitting", "rest"), ("walking", "walk"), ("jogging", "run"), ("hand_bike", "arms")),
            channels=(("II", "2"), ("III", "3"), ("V2-V1", "1")),
            fs=250,
            unit="V",
            centred=True,
            strict=False,
        ),
    ),
    Corpus(
        key="scientisst",
        also=("scientisst_move",),
        name="ScientISST MOVE",
        people="17",
        records="about 37 min for each person",
        fs="500",
        leads="ecg:gel, ecg:dry (chest)",
        size="about 0.4 GB; half of it with --only '*/scientisst_chest.edf'",
        licence="ODC-BY-1.0",
        cite="Areias Saraiva J. et al. ScientISST MOVE: Annotated Wearable Multimodal Biosignals recorded during "
        "Everyday Life Activities in Naturalistic Environments, version 1.0.1. PhysioNet, 2024",
        doi="10.13026/hyxq-r919",
        use="wearable ECG in motion: lifting, greeting, gesticulating, walking, running",
        traps="one sitting for each person; activities are EDF+ annotations with a duration, by which `data prepare` "
        "cuts; walks down the stairs are left out; gel and dry electrodes stand side by side; interruptions "
        "may stand in the EDF files as flat stretches",
        slug="scientisst-move-biosignals",
        version="1.0.1",
        rule=Rule(
            pattern=r"(?:.*/)?(?P<subject>\w{4})/scientisst_chest",
            subject="move{subject}",
            lead="ecg:gel,ecg:dry",
            common_leads=True,
            labels="annotations",
            activities=(
                ("stairs", ""),
                ("baseline", "rest"),
                ("lift", "lifting"),
                ("greet", "greeting"),
                ("gesticul", "gesticulating"),
                ("jump", "jumping"),
                ("walk", "walk"),
                ("run", "run"),
            ),
            endings=(".edf",),
            strict=False,
        ),
    ),
    Corpus(
        key="mhealth",
        name="MHEALTH",
        people="10",
        records="12 activities of about 1 min",
        fs="50",
        leads="ECG 1, ECG 2 (chest)",
        size="75 MB",
        licence="CC-BY-4.0 (check its page)",
        cite="Banos O. et al. mHealthDroid: a novel framework for agile development of mobile health applications. "
        "IWAAL 2014, 91-98",
        doi="10.24432/C5TW22",
        use="activity; not identity",
        traps="50 Hz, brought to 100 by `data prepare`: nothing above 25 Hz is in it, so its beats are blunt",
        where="https://archive.ics.uci.edu/dataset/319/mhealth+dataset",
        offer=Offer(
            page="https://archive.ics.uci.edu/dataset/319/mhealth+dataset",
            files=(Remote("mhealth+dataset.zip", (f"{_UCI}/319/mhealth+dataset.zip",), 75_000_000),),
            take=("*mHealth_subject*.log",),
            nested=("MHEALTHDATASET.zip",),
            room=300_000_000,
            most=3_000_000_000,
        ),
        rule=Rule(
            pattern=r"(?:.*/)?mHealth_subject(?P<subject>\d+)",
            subject="mh{subject}",
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
        also=("ppg_dalia",),
        name="PPG-DaLiA",
        people="15",
        records="about 2.5 h for each person",
        fs="700",
        leads="chest belt",
        size="2.9 GB",
        licence="CC-BY-4.0",
        cite="Reiss A. et al. Deep PPG: Large-scale heart rate estimation with convolutional neural networks. Sensors "
        "19(14):3079, 2019",
        doi="10.24432/C53890",
        use="eight activities of daily life: sitting, stairs, table soccer, cycling, driving, lunch, walking, working",
        traps="one sitting for each person; 700 Hz, brought to 500 by `data prepare`; pickled files of 1 to 2 GB, of "
        "which only arrays are taken; the server does not resume a cut download; person 6 has 1.5 h",
        where="https://archive.ics.uci.edu/dataset/495/ppg+dalia",
        offer=Offer(
            page="https://archive.ics.uci.edu/dataset/495/ppg+dalia",
            files=(Remote("ppg+dalia.zip", (f"{_UCI}/495/ppg+dalia.zip",), 2_870_000_000),),
            take=("*/S*.pkl",),
            nested=("data.zip",),
            slim=True,
            room=3_400_000_000,
            most=60_000_000_000,
        ),
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
        size="2.2 GB",
        licence="scientific, non-commercial use with credit (see its page; copies elsewhere say CC-BY-4.0)",
        terms="where its pages differ, keep to the stricter: scientific, non-commercial use that credits its authors",
        cite="Schmidt P. et al. Introducing WESAD, a multimodal dataset for wearable stress and affect detection. ICMI "
        "2018, 400-408",
        doi="10.24432/C57K5T",
        use="rest, stress, amusement, meditation: the heart without motion",
        traps="one sitting for each person; conditions of the mind, not motion; 700 Hz, brought to 500 by `data "
        "prepare`; pickled files of 1 GB, of which only arrays are taken; not for shipped weights",
        where="https://archive.ics.uci.edu/dataset/465/wesad+wearable+stress+and+affect+detection",
        offer=Offer(
            page="https://archive.ics.uci.edu/dataset/465/wesad+wearable+stress+and+affect+detection",
            files=(
                Remote(
                    "WESAD.zip",
                    (f"{_SCIEBO}/HGdUkoNlW1Ub0Gx/download", f"{_SCIEBO}/pYjSgfOVs6Ntahr/download"),
                    2_249_444_501,
                ),
            ),
            take=("*/S*.pkl",),
            slim=True,
            room=500_000_000,
            most=40_000_000_000,
        ),
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
