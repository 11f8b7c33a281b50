"""BUPTCampus on disk: its files, its folders, and its published counts."""

from opengait_ext.data.summary import Count
from opengait_ext.data.tracklet import Modality

NAME = "BUPTCampus"
README = "datasets/BUPTCampus/README.md"
SOURCE = f"it belongs to {NAME}, beside DATA/ (see {README})"

FRAMES, PATHS_FILE = "DATA", "data_paths.json"
# The camera numbers of the public code.
CAMERAS = {"LS3": 0, "G25": 1, "CQ1": 2, "W4": 3, "TSG1": 4, "TSG2": 5}
# The lists' codes of the modalities, which are folders too. RGB/IR is an aligned pair of tracklets.
VISIBLE_CODE, INFRARED_CODE, PAIR_CODE = "RGB", "IR", "RGB/IR"
MODALITIES = {VISIBLE_CODE: Modality.VISIBLE, INFRARED_CODE: Modality.INFRARED}
FAKE_FOLDER = "FakeIR"

# The list of each split, and the codes that its lines may have.
PAIRED, SINGLE = (PAIR_CODE,), (VISIBLE_CODE, INFRARED_CODE)
LISTS = {
    "train": ("train.txt", PAIRED),
    "auxiliary": ("train_auxiliary.txt", PAIRED),
    "query": ("query.txt", SINGLE),
    "gallery": ("gallery.txt", SINGLE),
}

# As the authors of the dataset publish them: lines and people of the lists by modality, frames of both modalities.
PUBLISHED: dict[tuple[str, str], Count] = {
    ("train", "visible"): Count(identities=1074, listed=3574, kept=3574, frames=None),
    ("train", "infrared"): Count(identities=1074, listed=3574, kept=3574, frames=None),
    ("train", "both"): Count(identities=1074, listed=7148, kept=7148, frames=796_138),
    ("auxiliary", "visible"): Count(identities=930, listed=930, kept=930, frames=None),
    ("auxiliary", "infrared"): Count(identities=930, listed=930, kept=930, frames=None),
    ("auxiliary", "both"): Count(identities=930, listed=1860, kept=1860, frames=209_150),
    ("query", "visible"): Count(identities=540, listed=540, kept=540, frames=None),
    ("query", "infrared"): Count(identities=536, listed=536, kept=536, frames=None),
    ("query", "both"): Count(identities=1076, listed=1076, kept=1076, frames=101_938),
    ("gallery", "visible"): Count(identities=None, listed=2422, kept=2422, frames=None),
    ("gallery", "infrared"): Count(identities=None, listed=2422, kept=2422, frames=None),
    ("gallery", "both"): Count(identities=1076, listed=4844, kept=4844, frames=597_542),
}
