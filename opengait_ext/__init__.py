"""Visible-infrared person re-identification and DinoGRL, handed to the engine by `register()`."""


def register() -> None:
    """Add this package's parts to the engine's tables; asked for by `extensions: [opengait_ext]` in a configuration."""
    # Imported here, so that a notebook that wants one part does not load all of them.
    from opengait import registry
    from opengait_ext import losses
    from opengait_ext.data.augment import CrossModalAugmentation, Normalise
    from opengait_ext.data.dataset import HITSZVCMDataSet
    from opengait_ext.data.sampler import CrossModalSampler
    from opengait_ext.evaluation.evaluator import evaluate_cross_modal
    from opengait_ext.models.dinogrl import DinoGRL

    registry.datasets.add(HITSZVCMDataSet)
    registry.samplers.add(CrossModalSampler)
    for transform in (CrossModalAugmentation, Normalise):
        registry.transforms.add(transform)
    registry.evaluators.add(evaluate_cross_modal)
    registry.models.add(DinoGRL)
    for loss in (losses.MaskLoss, losses.SmoothnessLoss, losses.DiversityLoss):
        registry.losses.add(loss)
