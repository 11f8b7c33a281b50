"""State dicts under other names than those of the modules, so that checkpoints of other code bases fit."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

Translation = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def rename_state(module: nn.Module, save: Translation, load: Translation) -> None:
    """Translate the names of a module's entries by `save` in `state_dict()` and by `load` in `load_state_dict()`.

    Names of parameters outside the state dict do not change.
    """

    def translate(translation: Translation, state: dict[str, Tensor], prefix: str) -> None:
        # Everything is taken out and put back, so the order is that of the translation.
        entries = {key.removeprefix(prefix): state.pop(key) for key in list(state) if key.startswith(prefix)}
        state.update({prefix + name: value for name, value in translation(entries).items()})

    def after_saving(_module: nn.Module, state: dict[str, Tensor], prefix: str, _metadata: Any) -> None:
        translate(save, state, prefix)

    def before_loading(_module: nn.Module, state: dict[str, Tensor], prefix: str, *_others: Any) -> None:
        translate(load, state, prefix)

    module.register_state_dict_post_hook(after_saving)
    module.register_load_state_dict_pre_hook(before_loading)


def hide_child(module: nn.Module, child: str, save: Translation | None = None, load: Translation | None = None) -> None:
    """Save and load the entries of `module.<child>` as if they were the module's own, without `<child>.` in front.

    The module's own entries keep precedence.

    Args:
        module: whose state dict changes.
        child: the name of one of its modules.
        save, load: further translations, from the names without `<child>.` and back to them.
    """
    prefix = f"{child}."

    def without_child(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = {name.removeprefix(prefix): value for name, value in state.items()}
        return names if save is None else save(names)

    def with_child(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        inner = getattr(module, child)
        names = {*inner._modules, *inner._parameters, *inner._buffers} - {*module._parameters, *module._buffers}
        entries = state if load is None else load(state)
        return {
            f"{prefix}{name}" if name.partition(".")[0] in names else name: value for name, value in entries.items()
        }

    rename_state(module, without_child, with_child)
