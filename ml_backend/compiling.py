"""From checkpoints to compiled networks, in a process of its own: `python -m ml_backend.compiling TASK.json`.

Only that process loads Keras. It writes one JSON object a line to standard output:

- ``{"event": "compiled", "network", "max_difference", "n_flipped", "n_pixels", "seconds"}`` for each member, `seconds`
  0 where another process has compiled it meanwhile
- ``{"event": "error", "code", "message", "hint"}`` with an exit status other than 0.

It may be killed at any moment: a compiled network counts once its card is written, and that comes last.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from db.domain.errors import ExternalError, InputError, OverreadError
from db.domain.mask import THRESHOLD, ProbabilityMap
from db.domain.network import NetworkSpec
from ml_backend.data import Film
from ml_backend.engine import EXPORT_VERSION, CompiledNetwork, Member, load_openvino
from ml_backend.publishing import discard_unfinished, publish

if TYPE_CHECKING:
    import keras

MAX_DIFFERENCE = 0.02
"""Between a probability of the compiled network and of Keras. Both round in float32: usually they agree to 1e-6. With
ResNet-50 and random weights, whose output is near 0 or 1, it was 2e-3, as Keras differs from itself at another batch
size; bfloat16 was off by 1."""

N_NOISE = 4
"""How many films of noise stand in for samples where there are none."""

CHILD = (sys.executable, "-m", "ml_backend.compiling")

_KNOWN_ERRORS: Mapping[str, type[OverreadError]] = {kind.code: kind for kind in (InputError, ExternalError)}

Samples = Mapping[int, Film]
"""Input size -> films uint8 [n, size, size] that a compiled network is compared with Keras on."""

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Agreement:
    """How far two networks differ: in one pixel at most, and in how many at the threshold 0.5."""

    max_difference: float
    n_flipped: int
    n_pixels: int

    @classmethod
    def of(cls, maps: ProbabilityMap, reference: ProbabilityMap) -> Self:
        """Between probability maps of one shape."""
        return cls(
            max_difference=float(np.abs(maps - reference).max()),
            n_flipped=int(np.count_nonzero((maps >= THRESHOLD) != (reference >= THRESHOLD))),
            n_pixels=maps.size,
        )


def compile_members(members: Sequence[Member], root: Path, samples: Samples, report: Report) -> None:
    """Compile members into folders below `root`, in a child process; `report` gets its lines as they come.

    Without samples of a member's input size, noise is used.

    Raises
    ------
    InputError
        If weights cannot be read or are another network's.
    ExternalError
        If a compiled network differs from Keras by more than `MAX_DIFFERENCE`, or the child dies.
    """
    with TemporaryDirectory(prefix="overread-") as box:
        task, arrays, errors = Path(box, "task.json"), Path(box, "samples.npz"), Path(box, "stderr")
        named: dict[str, Any] = {str(size): films for size, films in samples.items()}
        np.savez(arrays, **named)
        listed = [{**asdict(member), "weights": str(member.weights.resolve())} for member in members]
        task.write_text(json.dumps({"members": listed, "root": str(root.resolve()), "samples": str(arrays)}))
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": "tensorflow"}
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                [*CHILD, str(task)], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
            ) as child,
        ):
            try:
                _follow(child, report)
            finally:
                child.kill()  # it has ended, or nobody waits for it any more
        if child.returncode:
            words = errors.read_text()[-2000:]
            msg = f"Compiling {len(members)} networks ended with status {child.returncode}:\n{words}"
            raise ExternalError(msg, hint="`--with-keras` does without compiled networks.")


def main(arguments: Sequence[str]) -> int:
    """Run the task whose file `arguments` names; the exit status."""
    try:
        _run(json.loads(Path(arguments[0]).read_text()))
    except OverreadError as error:
        _print_line({"event": "error", "code": error.code, "message": error.message, "hint": error.hint})
        return error.exit_status
    return 0


def compile_network(member: Member, compiled: CompiledNetwork, samples: Film) -> None:
    """Compile one member, compare it with Keras on `samples` uint8 [n, side, side] and write its card. Loads Keras.

    Raises
    ------
    InputError
        If the weights cannot be read or are another network's.
    ExternalError
        If it differs from Keras by more than `MAX_DIFFERENCE`; nothing is kept then.
    """
    import keras  # noqa: PLC0415 - see above

    from ml_backend import inference  # noqa: PLC0415
    from ml_backend.networks import build  # noqa: PLC0415

    started = time.monotonic()
    keras.utils.clear_session()  # or the memory grows with each network
    model = build(NetworkSpec.parse(member.network), input_size=member.input_size, weights=member.weights)
    with TemporaryDirectory(prefix="overread-") as box:
        made = CompiledNetwork(Path(box), member.input_size)
        _export(model, made)
        agreement = Agreement.of(made.load()(samples), inference.predict(model, samples))
        if not agreement.max_difference <= MAX_DIFFERENCE:  # not a number is refused too
            msg = (
                f"Compiled, {member.network} gives probabilities that differ from Keras by "
                f"{agreement.max_difference:.2g}; {MAX_DIFFERENCE:g} is allowed."
            )
            raise ExternalError(msg, hint="`--with-keras` does without compiled networks.")
        compiled.path.mkdir(parents=True, exist_ok=True)
        discard_unfinished(compiled.path)
        compiled.card.unlink(missing_ok=True)
        for file in (made.weights, made.graph):
            with publish(compiled.path / file.name) as temporary:
                shutil.copyfile(file, temporary)
    card = {
        "network": member.network,
        "input_size": member.input_size,
        "weights": member.digest,
        "engine": "openvino",
        "export_version": EXPORT_VERSION,
        "versions": {name: version(name) for name in ("openvino", "keras", "tensorflow", "numpy")},
        "samples": {"n_films": len(samples), "digest": sha256(samples.tobytes()).hexdigest()},
        **asdict(agreement),
        "seconds": round(time.monotonic() - started, 1),
        "files": compiled.digests(),
    }
    with publish(compiled.card) as temporary:
        temporary.write_text(json.dumps(card, indent=1))


def _export(model: "keras.Model", made: CompiledNetwork) -> None:
    """Write graph and weights for one film at a time: a fixed shape starts faster and takes less memory."""
    import keras  # noqa: PLC0415 - only this process loads it

    load_openvino()  # before Keras does, which would let it report to its maker
    side = made.input_size
    signature = [keras.InputSpec(shape=(1, side, side, 1), dtype="float32", name="film")]
    model.export(str(made.graph), format="openvino", verbose=False, input_signature=signature)


def _run(task: Mapping[str, Any]) -> None:
    root = Path(task["root"])
    root.mkdir(parents=True, exist_ok=True)
    for values in task["members"]:
        member = Member(**{**values, "weights": Path(values["weights"])})
        compiled = CompiledNetwork.of(member, root)
        with (root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the block or with the process
            was_whole = compiled.is_whole()
            if not was_whole:
                compile_network(member, compiled, _samples(Path(task["samples"]), member.input_size))
        card = json.loads(compiled.card.read_text())
        told = {name: card[name] for name in ("network", "max_difference", "n_flipped", "n_pixels")}
        _print_line({"event": "compiled", **told, "seconds": 0 if was_whole else card["seconds"]})


def _samples(path: Path, size: int) -> Film:
    with np.load(path) as arrays:
        if str(size) in arrays.files:
            films: Film = arrays[str(size)]
            return films
    return np.random.default_rng(0).integers(0, 256, (N_NOISE, size, size), np.uint8)


def _follow(child: "subprocess.Popen[str]", report: Report) -> None:
    """Read the child's lines until it ends; raise the error that it reports."""
    for line in child.stdout or ():
        if not line.startswith("{"):  # a library's chatter
            continue
        values: dict[str, Any] = json.loads(line)
        if values["event"] == "error":
            raise _KNOWN_ERRORS.get(values["code"], ExternalError)(values["message"], hint=values["hint"])
        report(values)
    child.wait()


def _print_line(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
