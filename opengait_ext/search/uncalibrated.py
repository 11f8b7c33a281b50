"""p-values of distances without a calibration, from the other distances of the same query.

Distances cannot be judged by their absolute values: networks differ in scale, and infrared queries are farther from
everyone. Each query's distances to the gallery tracklets of one modality are standardised by their own median and
median absolute deviation, which a few true matches barely affect; the standardised distance is the score z. If all n
tracklets of the modality were strangers with normally distributed distances, one of them would score below z with
probability F(z), where F is Student's t distribution because the spread is estimated, and the nearest of n with
probability 1 - (1 - F(z))^n. This is the p-value. It errs towards "nobody", most of all across modalities.
"""

import math

import numpy as np

# Fewer tracklets of a modality are too few to estimate the spread.
LEAST = 8
# Median absolute deviation of the standard normal distribution.
_MAD = 0.6744897501960817
# Statistical efficiency of the median absolute deviation relative to the standard deviation.
_EFFICIENCY = 0.37


def p_values(distances: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Return the p-value of each gallery tracklet for one query; NaN where it cannot be judged.

    That is so if its modality has fewer than `LEAST` tracklets, or if most of them are equally far.

    Args:
        distances: (n), distances of the query to the gallery.
        types: n modalities.
    """
    p = np.full(len(distances), np.nan)
    for modality in np.unique(types):
        same = types == modality
        count = int(same.sum())
        if count < LEAST:
            continue
        median = np.median(distances[same])
        spread = np.median(np.abs(distances[same] - median)) / _MAD
        if spread > 0:
            scores = (distances[same] - median) / spread
            single = student_t_cdf(scores, max(1.0, _EFFICIENCY * (count - 1)))
            p[same] = -np.expm1(count * np.log1p(-np.minimum(single, 1 - 1e-16)))
    return p


def student_t_cdf(scores: np.ndarray, freedom: float) -> np.ndarray:
    """Return the distribution function of Student's t.

    The substitution t = sqrt(freedom) tan(angle) turns its integral into that of cos(angle)^(freedom - 1).
    """
    angles = np.arctan(scores / math.sqrt(freedom))
    steps = np.linspace(0, 1, 2049)
    weights = np.full(2049, 1 / 2048)
    weights[[0, -1]] /= 2  # the trapezoidal rule

    def area(end: np.ndarray) -> np.ndarray:
        width = end[:, None] + math.pi / 2
        return (np.cos(width * steps - math.pi / 2).clip(min=0) ** (freedom - 1)) @ weights * width[:, 0]

    return area(angles) / area(np.array([math.pi / 2]))
