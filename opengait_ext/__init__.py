"""Visible-infrared person re-identification with DinoGRL, as an extension of the engine."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opengait_ext.models.load import load_network
    from opengait_ext.search.describer import Describer

__all__ = ["Describer", "load_network", "register"]


def __getattr__(name: str) -> Any:
    """Import the public names lazily, since the command line must not wait for torch."""
    if name == "load_network":
        from opengait_ext.models.load import load_network

        return load_network
    if name == "Describer":
        from opengait_ext.search.describer import Describer

        return Describer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def register() -> None:
    """Add this package's parts to the engine's registries, as `extensions: [opengait_ext]` in a configuration asks."""
    # Imported here so that importing one part does not load all of them.
    from opengait import registry
    from opengait_ext.data.augment import CrossModalAugmentation, Normalise
    from opengait_ext.data.masks import MaskTransform
    from opengait_ext.data.readers import BUPTCampusDataSet, HITSZVCMDataSet
    from opengait_ext.data.sampler import CrossModalSampler
    from opengait_ext.evaluation.evaluator import evaluate_cross_modal
    from opengait_ext.models.agw.losses import SquaredDifferenceLoss
    from opengait_ext.models.agw.model import AGW
    from opengait_ext.models.auxnet.augment import PairAugmentation
    from opengait_ext.models.auxnet.model import AuxNet
    from opengait_ext.models.auxnet.sampler import PairSampler
    from opengait_ext.models.biggait.model import BigGait__Dinov2_Gaitbase
    from opengait_ext.models.biggergait.model import BiggerGait__DINOv2
    from opengait_ext.models.deen.augment import GreyAugmentation
    from opengait_ext.models.deen.losses import CentreGuidedPairMiningLoss, OrthogonalityLoss
    from opengait_ext.models.deen.model import DEEN
    from opengait_ext.models.dinogrl.losses import DiversityLoss, MaskLoss, SmoothnessLoss
    from opengait_ext.models.dinogrl.model import DinoGRL
    from opengait_ext.models.m3_reid.augment import StyleAugmentation
    from opengait_ext.models.m3_reid.losses import AttentionDiversityLoss, FrameDiversityLoss, ModalityAlignmentLoss
    from opengait_ext.models.m3_reid.model import M3ReID
    from opengait_ext.models.m3_reid.sampler import TrackletGroupSampler
    from opengait_ext.models.mitml.modality_classifier import ModalityConfusionLoss, ModalityLoss
    from opengait_ext.models.mitml.model import MITML
    from opengait_ext.models.shared.connectivity import MaskConnectivityLoss, PriorConnectivityLoss
    from opengait_ext.models.shared.triplets import BatchHardTripletLoss, WeightedTripletLoss
    from opengait_ext.models.vld.model import VLD

    for reader in (HITSZVCMDataSet, BUPTCampusDataSet):
        registry.datasets.add(reader)
    registry.samplers.add(CrossModalSampler)
    for transform in (CrossModalAugmentation, Normalise, MaskTransform):
        registry.transforms.add(transform)
    registry.evaluators.add(evaluate_cross_modal)
    registry.models.add(DinoGRL)
    registry.models.add(BiggerGait__DINOv2)
    registry.models.add(BigGait__Dinov2_Gaitbase)
    registry.models.add(AGW)
    registry.models.add(MITML)
    registry.models.add(AuxNet)
    registry.samplers.add(PairSampler)
    registry.transforms.add(PairAugmentation)
    for modality_loss in (ModalityLoss, ModalityConfusionLoss):
        registry.losses.add(modality_loss)
    for loss in (MaskLoss, SmoothnessLoss, DiversityLoss, MaskConnectivityLoss, PriorConnectivityLoss):
        registry.losses.add(loss)
    for triplet_loss in (BatchHardTripletLoss, WeightedTripletLoss, SquaredDifferenceLoss):
        registry.losses.add(triplet_loss)
    registry.models.add(M3ReID)
    registry.models.add(VLD)
    registry.samplers.add(TrackletGroupSampler)
    registry.transforms.add(StyleAugmentation)
    for m3_loss in (ModalityAlignmentLoss, FrameDiversityLoss, AttentionDiversityLoss):
        registry.losses.add(m3_loss)
    registry.models.add(DEEN)
    registry.transforms.add(GreyAugmentation)
    for deen_loss in (OrthogonalityLoss, CentreGuidedPairMiningLoss):
        registry.losses.add(deen_loss)
