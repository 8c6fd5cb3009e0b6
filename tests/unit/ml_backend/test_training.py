import fcntl
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.domain import recipes
from db.domain.errors import InputError, StateError
from db.domain.network import NetworkSpec
from ml_backend import inference, weights
from ml_backend.data import PackedSet, load_maps
from ml_backend.networks import build
from ml_backend.task import Fold, TrainingSpec, TrainingTask, file_digest
from ml_backend.training import main, run_task

SPEC = TrainingSpec.of(NetworkSpec.parse("unet-tiny"), recipes.smoke())
Line = dict[str, Any]


def task_in(folder: Path, packed: PackedSet, *, n_folds: int = 2) -> TrainingTask:
    packed.save(folder / "data.npz")
    keys = packed.keys
    folds = tuple(
        Fold(str(k), tuple(key for i, key in enumerate(keys) if i % n_folds != k), keys[k::n_folds])
        for k in range(n_folds)
    )
    return TrainingTask(SPEC, folder / "data.npz", folder / "runs", folds)


def run(task: TrainingTask) -> list[Line]:
    lines: list[Line] = []
    run_task(task, lines.append)
    return lines


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingTask, PackedSet, list[Line]]:
    """Two folds, trained once for all tests that only look."""
    rng = np.random.default_rng(8)
    films = rng.integers(0, 255, (8, 32, 32)).astype(np.uint8)
    packed = PackedSet(tuple(f"c{i}" for i in range(8)), films, films > 200)
    task = task_in(tmp_path_factory.mktemp("trained"), packed)
    return task, packed, run(task)


def test_every_fold_reports_its_epochs_and_its_end(trained: tuple[TrainingTask, PackedSet, list[Line]]) -> None:
    _, _, lines = trained
    assert lines[0] == {"event": "start", "network": "unet-tiny", "n_folds": 2}
    ends = [(line["fold"], line["epoch"]) for line in lines if line["event"] == "progress" and line["step"] == 3]
    assert ends == [("0", 1), ("0", 2), ("1", 1), ("1", 2)]
    assert [line["was_done"] for line in lines if line["event"] == "fold"] == [False, False]
    assert [line["eta_s"] for line in lines if line["event"] == "progress"][-1] == 0.0
    assert lines[-1] == {"event": "done"}


def test_a_run_holds_checkpoint_card_maps_and_marker_and_no_remains(
    trained: tuple[TrainingTask, PackedSet, list[Line]],
) -> None:
    task, packed, _ = trained
    for fold, folder in task.run_folders(packed):
        names = {path.name for path in folder.path.iterdir()}
        predictions = folder.predictions(packed, fold).name
        stored = {f"{name}.safetensors" for name in ("best", "checkpoint", "last")}
        assert names == {*stored, "card.json", "done", "lock", predictions}
        assert folder.checkpoint.samefile(folder.last)


def test_the_stored_maps_are_what_the_stored_checkpoint_predicts(
    trained: tuple[TrainingTask, PackedSet, list[Line]],
) -> None:
    task, packed, _ = trained
    for fold, folder in task.run_folders(packed):
        model, card = inference.load_checkpoint(folder.path)
        expected = inference.predict(model, packed.films[packed.rows(fold.targets)])
        maps = load_maps(folder.predictions(packed, fold))
        assert tuple(maps) == fold.targets
        np.testing.assert_allclose(np.stack(list(maps.values())), expected, atol=1e-4)
        assert card["fold"] == fold.name
        assert card["train"] == sorted(fold.train)
        assert card["initial_weights"] == "random"
        assert card["n_parameters"]["trainable"] == sum(np.prod(w.shape) for w in model.trainable_weights)
        assert len(card["losses"]) == SPEC.epochs


def test_a_trained_fold_is_a_hit_and_loads_no_network(
    trained: tuple[TrainingTask, PackedSet, list[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _, _ = trained
    monkeypatch.setattr("ml_backend.fitting.Trainer", None)
    lines = run(task)
    assert [line["event"] for line in lines] == ["start", "fold", "fold", "done"]
    assert all(line["was_done"] for line in lines if line["event"] == "fold")


def test_new_targets_are_predicted_without_training(trained: tuple[TrainingTask, PackedSet, list[Line]]) -> None:
    task, _, _ = trained
    fold = replace(task.folds[0], targets=task.folds[0].targets[:1])
    lines = run(replace(task, folds=(fold,)))
    assert [line["event"] for line in lines] == ["start", "fold", "done"]
    assert list(load_maps(Path(lines[1]["predictions"]))) == list(fold.targets)


def test_a_checkpoint_that_was_tampered_with_is_refused(packed: PackedSet, tmp_path: Path) -> None:
    task = task_in(tmp_path, packed)
    task = replace(task, folds=task.folds[:1])
    run(task)
    [(_, folder)] = task.run_folders(packed)
    model = build(SPEC.network, input_size=32)
    weights.save_model(model, folder.checkpoint)
    with pytest.raises(InputError, match="not the one that its card describes"):
        inference.load_checkpoint(folder.path)


def test_training_starts_from_the_weights_that_the_specification_names(packed: PackedSet, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    weights.save_model(build(SPEC.network, input_size=32), start)
    task = task_in(tmp_path, packed)
    with pytest.raises(InputError, match="starts from weights None"):
        run(replace(task, start=start))
    spec = replace(SPEC, start=file_digest(start), learning_rate=1e-12)
    task = replace(task, spec=spec, start=start, folds=task.folds[:1])
    run(task)
    [(_, folder)] = task.run_folders(packed)
    trained, first = (
        weights.load_arrays(path)[0]["encoder_1_conv/kernel"].astype(float) for path in (folder.checkpoint, start)
    )
    np.testing.assert_allclose(trained, first, atol=1e-6)


def test_a_fold_that_another_process_holds_is_waited_for(trained: tuple[TrainingTask, PackedSet, list[Line]]) -> None:
    task, packed, _ = trained
    (_, folder), *_ = task.run_folders(packed)
    lines: list[Line] = []
    with folder.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=run_task, args=(task, lines.append))
        thread.start()
        time.sleep(0.3)
        assert [line["event"] for line in lines] == ["start", "waiting"]
    thread.join()
    assert lines[-1] == {"event": "done"}


def test_an_error_is_one_line_and_an_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([str(tmp_path / "missing.json")])
    line = json.loads(capsys.readouterr().out)
    assert status == 2
    assert line["event"] == "error"
    assert line["code"] == "input"
    assert "missing.json" in line["message"]


def start_child(task: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ml_backend.training", str(task)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path.cwd())


def lines_of(child: subprocess.Popen[str]) -> Iterator[Line]:
    assert child.stdout
    yield from map(json.loads, child.stdout)


@pytest.mark.slow
def test_a_killed_child_goes_on_and_ends_with_the_same_weights(packed: PackedSet, tmp_path: Path) -> None:
    spec = replace(SPEC, epochs=4, steps_per_epoch=4)
    for name in ("killed", "undisturbed"):
        folder = tmp_path / name
        folder.mkdir()
        replace(task_in(folder, packed), spec=spec).save(folder / "task.json")
    child = start_child(tmp_path / "killed" / "task.json")
    for line in lines_of(child):
        if line["event"] == "progress" and line["fold"] == "1" and line["epoch"] == 3:
            child.send_signal(signal.SIGKILL)
            break
    assert child.wait() == -signal.SIGKILL
    (_, first), (_, second) = TrainingTask.load(tmp_path / "killed" / "task.json").run_folders(packed)
    assert first.is_done
    assert not second.is_done
    written_at = first.checkpoint.stat().st_mtime_ns

    again = start_child(tmp_path / "killed" / "task.json")
    undisturbed = start_child(tmp_path / "undisturbed" / "task.json")
    trained = [(line["fold"], line["epoch"]) for line in lines_of(again) if line["event"] == "progress"]
    assert again.wait() == 0
    assert list(lines_of(undisturbed))[-1] == {"event": "done"}
    assert undisturbed.wait() == 0
    assert {fold for fold, _ in trained} == {"1"}
    assert min(epoch for _, epoch in trained) >= 3
    assert first.checkpoint.stat().st_mtime_ns == written_at
    for name in (first.key, second.key):
        digests = {
            file_digest(tmp_path / of / "runs" / name / "checkpoint.safetensors") for of in ("killed", "undisturbed")
        }
        assert len(digests) == 1


@pytest.mark.slow
def test_a_child_whose_reader_is_gone_ends(packed: PackedSet, tmp_path: Path) -> None:
    task = replace(task_in(tmp_path, packed), spec=replace(SPEC, epochs=100_000))
    task.save(tmp_path / "task.json")
    child = start_child(tmp_path / "task.json")
    next(line for line in lines_of(child) if line["event"] == "progress")
    assert child.stdout
    child.stdout.close()
    assert child.wait(timeout=60) == 1


def test_a_run_that_diverges_keeps_the_network_of_its_last_whole_epoch_and_says_where(
    packed: PackedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ml_backend.fitting import Trainer

    monkeypatch.setattr(Trainer, "learning_rate", lambda _, epoch: 1e-3 if epoch == 1 else 1e30)
    task = replace(task_in(tmp_path, packed), spec=replace(SPEC, epochs=3, steps_per_epoch=20))
    with pytest.raises(StateError, match=r"diverged in epoch 2.*after the epoch before is kept: .*last\.safetensors"):
        run(task)
    folder = next(folder for _, folder in task.run_folders(packed))
    kept, _ = weights.load_arrays(folder.last)
    state, text = weights.load_arrays(folder.state)
    assert len(json.loads(text["history"])["losses"]) == 1
    assert all(np.isfinite(array).all() for array in kept.values())
    np.testing.assert_array_equal(kept["head_conv/kernel"], state["head_conv/kernel"])
    assert not folder.is_done


def test_the_best_epoch_of_the_films_held_out_is_the_checkpoint(packed: PackedSet, tmp_path: Path) -> None:
    spec = replace(SPEC, epochs=4, steps_per_epoch=2, validation_share=0.3)
    fold = Fold("0", packed.keys[:6], packed.keys[9:], packed.keys[6:9])
    task = replace(task_in(tmp_path, packed), spec=spec, folds=(fold,), corpus="films of a test")
    run(task)
    [(_, folder)] = task.run_folders(packed)
    card = json.loads(folder.card.read_text())
    assert card["epoch"] == card["best_epoch"] == 1 + int(np.argmin(card["validation_losses"]))
    assert card["validation"] == sorted(packed.keys[6:9])
    assert folder.checkpoint.samefile(folder.best)
    assert weights.load_arrays(folder.checkpoint)[1] == {"corpus": "films of a test"}


def test_the_corpus_of_the_first_weights_is_handed_on(packed: PackedSet, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    weights.save_model(build(SPEC.network, input_size=32), start, text={weights.CORPUS: "ImageNet"})
    task = replace(task_in(tmp_path, packed, n_folds=2), start=start, corpus="films of a test")
    task = replace(task, spec=replace(SPEC, start=file_digest(start)), folds=task.folds[:1])
    run(task)
    [(_, folder)] = task.run_folders(packed)
    assert json.loads(folder.card.read_text())["initial_weights"] == {
        "digest": file_digest(start),
        "corpus": "ImageNet",
    }
    assert weights.load_arrays(folder.checkpoint)[1] == {"corpus": "ImageNet; films of a test"}
