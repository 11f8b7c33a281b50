"""Evaluators, selected by `evaluator_cfg.eval_func`.

An evaluator is called as `f(data, dataset, metric="euc", ...)`: `data` holds `embeddings` `[n, c, p]` and the lists
`labels`, `types`, `views`; `dataset` is `data_cfg.test_dataset_name`. It logs its tables in OpenGait's format and
returns the metrics under their TensorBoard names.
"""

from opengait.evaluation.evaluator.ccpg import evaluate_CCPG
from opengait.evaluation.evaluator.indoor import evaluate_indoor_dataset
from opengait.evaluation.evaluator.outdoor import evaluate_CCGR_MINI, evaluate_FreeGait, evaluate_Gait3D
from opengait.evaluation.evaluator.real_scene import evaluate_real_scene
from opengait.evaluation.evaluator.scoliosis import evaluate_scoliosis
from opengait.evaluation.evaluator.segmentation import evaluate_segmentation
from opengait.evaluation.evaluator.submissions import GREW_submission, HID_submission

__all__ = [
    "GREW_submission",
    "HID_submission",
    "evaluate_CCGR_MINI",
    "evaluate_CCPG",
    "evaluate_FreeGait",
    "evaluate_Gait3D",
    "evaluate_indoor_dataset",
    "evaluate_real_scene",
    "evaluate_scoliosis",
    "evaluate_segmentation",
]
