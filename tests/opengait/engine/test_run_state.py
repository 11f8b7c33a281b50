"""The run state: what a checkpoint stores of it, and models whose constructor does not create one."""

from pathlib import Path

from torch import nn

from opengait.engine.run_state import RunState
from opengait.modeling.base_model import BaseModel


def test_a_checkpoint_stores_the_counters():
    state = RunState(iteration=5, batches_drawn=7, rank_states=[{"python": (3,)}], capsule=Path("capsule.json"))
    content = state.to_checkpoint(5)
    assert content == {"iteration": 5, "batches_drawn": 7, "rank_states": [{"python": (3,)}]}
    resumed = RunState(iteration=5)
    resumed.restored(Path("a.pt"), content)
    assert (resumed.batches_drawn, resumed.restored_iteration) == (0, 5)
    resumed.resume(content)
    assert resumed == RunState(5, 7, [{"python": (3,)}], Path("a.pt"), 5)


def test_without_counters_each_iteration_drew_a_batch():
    state = RunState(iteration=4)
    state.resume({"iteration": 4})
    assert (state.batches_drawn, state.rank_states) == (4, [])


def test_a_model_with_its_own_constructor_has_a_run_state():
    class OwnStart(BaseModel):
        forward = None

        def __init__(self):
            nn.Module.__init__(self)

    first, second = OwnStart(), OwnStart()
    first.iteration = 3
    first.iteration += 1
    assert first.run_state == RunState(iteration=4) and first.run_state is first.run_state
    assert second.iteration == 0
    assert not first.state_dict()
