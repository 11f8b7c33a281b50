"""Near infrared: how much of an 850 nm lamp's light comes back from skin, hair and cloth.

Melanin and most dyes are transparent at 850 nm: skin is bright whatever its tone, and cloth shows its fibre rather than
its colour. Carbon pigments and leather stay dark.
"""

import numpy as np

WHITE = 200  # grey value of a reflectance of 1 before the exposure
SKIN = (0.50, 0.64)
HAIR = (0.17, 0.50)
EYE = 1.2  # the retina sends the light back to the lens
STRIP = 1.3  # so do the glass beads of reflective strips
FIBRES = {  # mean and spread
    "cotton": (0.60, 0.06),
    "polyester": (0.69, 0.05),
    "wool": (0.47, 0.06),
    "denim": (0.55, 0.05),
    "nylon": (0.40, 0.09),
    "leather": (0.19, 0.05),
}
CARBON = (0.05, 0.14)
CARBON_SHARE = 0.2  # share of cloth dyed with carbon pigments
CANDIDATES = 12  # the more, the closer a linked reflectance follows its rank


def draw_cloth(rng: np.random.Generator, rank: float, *, linked: bool) -> float:
    """Draw the reflectance of a garment.

    Args:
        rank: of the garment's brightness in visible light among all garments, 0 to 1.
        linked: whether the reflectance has about the same rank among all reflectances, or is independent of it.
    """
    fibres = rng.integers(len(FIBRES), size=CANDIDATES)
    mean, spread = np.array(list(FIBRES.values()))[fibres].T
    levels = np.maximum(mean + spread * rng.standard_normal(CANDIDATES), CARBON[0])
    pigment = rng.uniform(*CARBON, CANDIDATES)
    return _choose(np.where(rng.random(CANDIDATES) < CARBON_SHARE, pigment, levels), rank, linked=linked)


def draw_hair(rng: np.random.Generator, rank: float, *, linked: bool) -> float:
    """Draw the reflectance of hair: natural hair (`linked`) is brighter with less melanin, dyed hair anything."""
    return _choose(rng.uniform(*HAIR, CANDIDATES), rank, linked=linked)


def _choose(candidates: np.ndarray, rank: float, *, linked: bool) -> float:
    """Return the candidate of this rank, or the first; over many ranks, both have the candidates' distribution."""
    index = min(int(rank * len(candidates)), len(candidates) - 1)
    return float(np.sort(candidates)[index] if linked else candidates[0])
