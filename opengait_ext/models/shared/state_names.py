"""State dicts with other names than the modules', so that checkpoints of other code bases load."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

Translation = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def hide_child(module: nn.Module, child: str, save: Translation | None = None, load: Translation | None = None) -> None:
    """Save and load the entries of `module.<child>` without `<child>.` in front, as entries of the module itself.

    Where both have an entry of the same name, the module's own takes precedence. Only state dicts change: the names of
    parameters and modules do not.

    Args:
        module: the module whose state dict changes.
        child: the name of one of its modules.
        save, load: further translations of the names without `<child>.`, on saving and on loading.
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

    def translate(translation: Translation, state: dict[str, Tensor], root: str) -> None:
        # All entries are taken out and put back, so their order is that of the translation.
        entries = {key.removeprefix(root): state.pop(key) for key in list(state) if key.startswith(root)}
        state.update({root + name: value for name, value in translation(entries).items()})

    module.register_state_dict_post_hook(lambda _module, state, root, _metadata: translate(without_child, state, root))
    module.register_load_state_dict_pre_hook(lambda _module, state, root, *_: translate(with_child, state, root))
