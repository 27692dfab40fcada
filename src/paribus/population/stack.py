"""K members of one structure: their parameters as rows of a matrix, moved together, each as it would be alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, vmap

from paribus.data.chunks import Batch, ChunkLoader
from paribus.families.contract import Family, Phase
from paribus.families.history import History
from paribus.noise import Noise
from paribus.objectives.loss import Loss
from paribus.population.optimizers import (
    Flags,
    NotStackable,
    Number,
    Numbers,
    Rule,
    column,
    flags_of,
    numbers_of,
    rule_of,
)
from paribus.training.callbacks import after_validation

BLOCK_BYTES = 16_000_000
"""Minibatches and noise gathered at a time: more would fall out of the cache before they are used."""
VALIDATION_EXAMPLES = 65_536
"""Held-out examples of several members that go through the program at a time: more would only take memory."""

Tensors = dict[str, Tensor]


class Stack(nn.Module):
    """Families of one structure, trained step by step together.

    Each phase's parameters are one matrix `[members, parameters]`, of which the stacked parameters of the modules are
    views; buffers are stacked as `[members, ...]`. Members share the program and nothing else: not a number flows
    between rows, so a member that diverges leaves the others as they were, bit for bit.

    Args:
        families: the members, built and begun; they are read, not changed.

    Attributes:
        program: what computes the losses of all members: a copy of the first, at the step that training has reached.
        stopped: of each member the step at which it stopped, -1 where it has not.
        failed: the step at which its loss was not finite, -1 where all were; `failed_total` is that loss.
        best, waited: its lowest validation loss, and the validations since.

    Raises:
        NotStackable: they cannot be stacked, or a loss reads what one program cannot know; the message says why.
    """

    stopped: Int[Tensor, "members"]
    failed: Int[Tensor, "members"]
    failed_total: Float[Tensor, "members"]
    best: Float[Tensor, "members"]
    waited: Int[Tensor, "members"]

    def __init__(self, families: Sequence[Family]) -> None:
        super().__init__()
        self._families = tuple(families)  # a tuple, so that their parameters are not this module's own
        self.size = len(families)
        first = families[0]
        self._program = (program_of(first),)  # likewise
        self._modes = [module.training for module in first.modules()]
        owner = {id(parameter): phase.name for phase in first.phases for parameter in first.parameters_of(phase)}
        self._places = _places(first, owner)
        for phase in first.phases:
            rows = torch.stack([_row(family, self._places[phase.name]) for family in families])
            self.register_parameter(f"matrix_{phase.name}", nn.Parameter(rows, requires_grad=False))
        self._buffer_names = [name for name, _ in first.named_buffers()]
        for number, name in enumerate(self._buffer_names):
            self.register_buffer(f"buffer_{number}", torch.stack([family.get_buffer(name) for family in families]))
        self._movers = [_Mover(self, index) for index in range(len(first.phases))]
        self.register_buffer("stopped", torch.full((self.size,), -1))
        self.register_buffer("failed", torch.full((self.size,), -1))
        self.register_buffer("failed_total", torch.zeros(self.size))
        self.register_buffer("best", torch.full((self.size,), torch.inf, dtype=torch.float64))
        self.register_buffer("waited", torch.zeros(self.size, dtype=torch.int64))
        self._moving: tuple[list[int], Stack | None] = ([], None)  # a tuple, so that it is not this module's own
        self._views: tuple[tuple[int, ...], Tensors] | None = None

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases of the members, as the program has them."""
        return self.program.phases

    @property
    def program(self) -> Family:
        """What computes the losses of all members."""
        return self._program[0]

    @property
    def matrices(self) -> list[Tensor]:
        """The parameters of each phase, `[members, parameters]`."""
        return [self.get_parameter(f"matrix_{phase.name}") for phase in self.phases]

    def is_over(self) -> bool:
        """Whether every member has stopped."""
        return bool((self.stopped >= 0).all())

    def advance(
        self, steps: range, loaders: Sequence[ChunkLoader], clip_norm: float | None
    ) -> dict[str, Float[Tensor, "members"]]:
        """Take consecutive steps; the mean over them of each loss before a step, NaN for members that had stopped.

        Args:
            steps: the numbers of the steps.
            loaders: of each member, its training part.
            clip_norm: the largest norm of a member's gradient in a phase.
        """
        moving = (self.stopped < 0).nonzero().squeeze(-1).tolist()
        if not moving:
            raise ValueError("all members have stopped, expected one that has not")
        if len(moving) < self.size:
            return self._advance_some(moving, steps, loaders, clip_norm)
        history = History()
        for module, training in zip(self.program.modules(), self._modes, strict=True):
            module.training = training
        for block in self._blocks(steps, loaders):
            for step, batch, noise in self._batches(block, loaders):
                self.program.step = step
                for mover in self._movers:
                    if step % mover.phase.every == 0:
                        history.add(mover.phase.name, step, mover.move(step, batch, noise, clip_norm))
        self.program.step = steps.stop
        self._note_failures(history, steps.stop)
        return history.means()

    def note_validation(self, loss: Float[Tensor, "members"], patience: int, step: int) -> None:
        """Stop the members whose held-out loss has not fallen below its lowest for `patience` validations."""
        self.best, self.waited = after_validation(self.best, self.waited, loss)
        self.stopped[(self.waited >= patience) & (self.stopped < 0)] = step

    def validation_loss(self, batch: Batch) -> Loss:
        """The loss of each member's held-out examples `[members, batch, ...]`, after the steps taken so far."""
        self.program.eval()
        call = _Call(self.program, self.program.validation_loss)
        members = max(1, VALIDATION_EXAMPLES // next(iter(batch.values())).shape[1])  # not fewer rows: means are alike
        return vmap(call.under, chunk_size=members)(self.views(), self.buffers_by_name(), batch)

    @torch.no_grad()
    def write_into(self, row: int, family: Family) -> None:
        """Set a family's parameters and buffers to those of a member."""
        mine = {name: view[row] for name, view in self.views().items()}
        mine |= {name: buffer[row] for name, buffer in self.buffers_by_name().items()}
        for name, tensor in (*family.named_parameters(), *family.named_buffers()):
            tensor.copy_(mine[name])

    def views(self) -> Tensors:
        """The stacked parameters by name, `[members, ...]`: leaves of the graph that share the matrices' memory."""
        memory = tuple(matrix.data_ptr() for matrix in self.matrices)
        if self._views is None or self._views[0] != memory:  # Lightning moved or cast the matrices
            with torch.inference_mode(mode=False):  # validation may come first, and training needs their gradients
                self._views = (memory, dict(self._make_views()))
        return self._views[1]

    def buffers_by_name(self) -> Tensors:
        """The stacked buffers under the family's names."""
        return {name: self.get_buffer(f"buffer_{number}") for number, name in enumerate(self._buffer_names)}

    def _make_views(self) -> Iterator[tuple[str, Tensor]]:
        for phase in self.phases:
            matrix, start = self.get_parameter(f"matrix_{phase.name}").detach(), 0
            for name, shape in self._places[phase.name].items():
                stop = start + shape.numel()
                yield name, matrix[:, start:stop].view(self.size, *shape).detach().requires_grad_()
                start = stop

    def _blocks(self, steps: range, loaders: Sequence[ChunkLoader]) -> Iterator[range]:
        batch_bytes = sum(rows[:1].nbytes for rows in loaders[0].rows.values()) * loaders[0].batch_size
        noise_bytes = self._families[0].noise.numbers * self.matrices[0].element_size()
        length = max(1, BLOCK_BYTES // max(1, (batch_bytes + noise_bytes) * self.size))
        for first in range(steps.start, steps.stop, length):
            yield range(first, min(first + length, steps.stop))

    def _batches(self, steps: range, loaders: Sequence[ChunkLoader]) -> Iterator[tuple[int, Batch, Noise]]:
        """The minibatches of all members, `[members, batch, ...]`: each member's own data in its own order."""
        chunks = [loader.chunk(steps) for loader in loaders]
        names = chunks[0].rows
        stacked = {name: torch.stack([chunk.rows[name] for chunk in chunks]) for name in names}
        columns = {name: rows.split(chunks[0].sizes, dim=1) for name, rows in stacked.items()}
        noises = [family.noise.span(steps.start, steps.stop) for family in self._families]
        noise = {name: torch.stack([each[name] for each in noises], dim=1).to(stacked["x"]) for name in noises[0]}
        for position, step in enumerate(steps):
            batch = {name: parts[position] for name, parts in columns.items()}
            yield step, batch, {name: rows[position, :, : chunks[0].sizes[position]] for name, rows in noise.items()}

    @torch.no_grad()
    def _advance_some(
        self, moving: list[int], steps: range, loaders: Sequence[ChunkLoader], clip_norm: float | None
    ) -> dict[str, Tensor]:
        """Let members take steps in a smaller stack, so that those that have stopped neither move nor cost anything."""
        if self._moving[0] != moving:
            self._moving = (moving, Stack([self._families[row] for row in moving]).to(self.stopped.device))
        part = self._moving[1]
        assert part is not None
        pairs = list(zip((*self.parameters(), *self.buffers()), (*part.parameters(), *part.buffers()), strict=True))
        for mine, its in pairs:
            its.copy_(mine[moving])
        with torch.enable_grad():
            means = part.advance(steps, [loaders[row] for row in moving], clip_norm)
        for mine, its in pairs:
            mine[moving] = its
        self.program.step = steps.stop
        rows = torch.tensor(moving, device=self.stopped.device)
        return {
            name: values.new_full((self.size,), torch.nan).index_copy(0, rows, values) for name, values in means.items()
        }

    def _note_failures(self, history: History, step: int) -> None:
        first, total = history.first_non_finite()
        new = (first >= 0) & (self.stopped < 0)
        self.failed[new], self.failed_total[new] = first[new], total[new].to(self.failed_total)
        self.stopped[new] = step


class _Mover:
    """One phase of a stack and the optimizer of its matrix, whose state is kept in the stack's buffers."""

    def __init__(self, stack: Stack, index: int) -> None:
        self._stack, self._index = stack, index
        self.phase = stack.phases[index]
        optimizers = [family.configure_optimizers()[index] for family in stack._families]
        self.rule: Rule = rule_of(optimizers[0])
        self.flags: Flags = flags_of(optimizers[0])
        matrix = stack.get_parameter(f"matrix_{self.phase.name}")
        self._numbers: Numbers = numbers_of(optimizers, matrix.device)
        self._state_names = self.rule.state(self.flags)
        for name in self._state_names:
            start = self.rule.start(name, self._numbers)
            stack.register_buffer(self._buffer(name), torch.zeros_like(matrix) + start)
        schedules = [(family.schedule, family.total_steps) for family in stack._families]
        self._distinct = [each for place, each in enumerate(schedules) if each not in schedules[:place]]
        self._schedules = [self._distinct.index(each) for each in schedules]
        self._loss = vmap(_Call(stack.program, self.phase.loss).under)
        self._names = list(stack._places[self.phase.name])
        self._limits = [family.phases[index].limit for family in stack._families]

    def move(self, step: int, batch: Batch, noise: Noise, clip_norm: float | None) -> Loss:
        """One step of all members; their losses before it."""
        stack = self._stack
        views, matrix = stack.views(), stack.get_parameter(f"matrix_{self.phase.name}").data
        loss = self._loss(views, stack.buffers_by_name(), batch, noise)
        wanted = [views[name] for name in self._names]
        gradients = torch.autograd.grad(loss.total, wanted, torch.ones_like(loss.total))
        gradient = torch.cat([each.reshape(stack.size, -1) for each in gradients], dim=1)
        if torch.is_autocast_enabled(matrix.device.type):
            torch.clear_autocast_cache()  # it holds this step's weights
        if clip_norm is not None:
            norms = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient.mul_((clip_norm / (norms + 1e-6)).clamp(max=1.0))
        state = {name: stack.get_buffer(self._buffer(name)) for name in self._state_names}
        numbers = self._on(matrix.device)
        numbers = {**numbers, "lr": numbers["lr"] * self._factor(step, matrix.device)}
        self.rule.update(matrix, gradient, state, numbers, self.flags, step // self.phase.every + 1)
        if self.phase.limit is not None:
            limit = matrix.new_tensor(self._limits)[:, None]
            torch.clamp(matrix, -limit, limit, out=matrix)
        return loss

    def _factor(self, step: int, device: torch.device) -> Number:
        """The schedules' factors on the learning rates; each distinct schedule is asked once."""
        factors = [schedule(step, total) for schedule, total in self._distinct]
        return column([factors[each] for each in self._schedules], device)

    def _on(self, device: torch.device) -> Mapping[str, Number]:
        if any(isinstance(number, Tensor) and number.device != device for number in self._numbers.values()):
            self._numbers = {
                name: number.to(device) if isinstance(number, Tensor) else number
                for name, number in self._numbers.items()
            }
        return self._numbers

    def _buffer(self, name: str) -> str:
        return f"state_{self.phase.name}_{name}"


class _Call(nn.Module):
    """A method of a family as a module's forward, which is what `functional_call` calls."""

    def __init__(self, family: Family, method: Callable[..., Loss]) -> None:
        super().__init__()
        self.family, self.method = family, method

    def forward(self, *inputs: Mapping[str, Tensor]) -> Loss:
        """Call the method."""
        return self.method(*inputs)

    def under(self, parameters: Tensors, buffers: Tensors, *inputs: Mapping[str, Tensor]) -> Loss:
        """Call it with the parameters and buffers of one member; for vmap."""
        named = {f"family.{name}": tensor for name, tensor in (parameters | buffers).items()}
        loss = functional_call(self, named, inputs)
        for name, tensor in buffers.items():
            if named[f"family.{name}"] is not tensor:  # where functional_call leaves what a module has put there
                raise NotStackable(f"the buffer {name} is replaced in a loss; one program can only change it in place")
        return loss


def program_of(family: Family) -> Family:
    """A copy of a family that computes the losses of others too: what of Python's they do not share cannot be read."""
    program = deepcopy(family)
    program.__class__ = _without_what_differs(type(family))  # type: ignore[arg-type]  # mypy: a class is not Hashable
    return program


OWN = ("seed", "noise", "schedule", "trainer", "current_epoch", "global_step", "log", "log_dict")
"""Attributes of a family that a loss of many cannot use."""


@cache
def _without_what_differs(family: type[Family]) -> type[Family]:
    return type(family.__name__, (family,), {name: property(_refusal(name)) for name in OWN})


def _refusal(name: str) -> Callable[[Family], object]:
    def refuse(program: Family) -> object:
        raise NotStackable(f"its loss reads {name}, of which one program has only one for all members")

    return refuse


def _places(family: Family, owner: Mapping[int, str]) -> dict[str, dict[str, torch.Size]]:
    """Of each phase, the names and shapes of its parameters in the order of its matrix's columns."""
    places: dict[str, dict[str, torch.Size]] = {phase.name: {} for phase in family.phases}
    for name, parameter in family.named_parameters():
        phase = owner.get(id(parameter))
        if phase is None:
            raise NotStackable(f"{name} is moved by no phase")
        places[phase][name] = parameter.shape
    return places


def _row(family: Family, places: Mapping[str, torch.Size]) -> Tensor:
    return torch.cat([family.get_parameter(name).detach().reshape(-1) for name in places])
