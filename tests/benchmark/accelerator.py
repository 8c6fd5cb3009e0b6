"""What a GPU (or whatever device Keras finds) does with the paper's networks. A script, because it takes a GPU's time.

Only Keras with a back end, NumPy, safetensors, SciPy and this checkout are needed::

    KERAS_BACKEND=jax python tests/benchmark/accelerator.py speed --precision float32 --precision mixed_bfloat16
    KERAS_BACKEND=jax python tests/benchmark/accelerator.py inference
    KERAS_BACKEND=jax python tests/benchmark/accelerator.py train PACKED.npz --network unet-densenet121 --set epochs=50

`speed` gives films/s of training, beside the same U-Net in PyTorch with `torch.compile` where PyTorch is installed;
`inference` the time a film of all 24 networks (Table V's column, P43); `train` cross-validates a network on a file of
`ml_backend.data.PackedSet` (films, masks) and scores its out-of-fold maps. Every line names the device.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from db.domain import recipes
from db.domain.mask import THRESHOLD, dice
from db.domain.network import NetworkSpec, paper_networks
from ml_backend.data import PackedSet, load_maps
from ml_backend.fitting import Progress, Trainer
from ml_backend.networks import build
from ml_backend.task import Fold, TrainingSpec, TrainingTask
from ml_backend.training import run_task

SPEED_NETWORKS = ("unet-densenet121", "unet_plus_plus-densenet121")
N_FILMS = 256
RNG = np.random.default_rng(0)


def device():
    """The device in words, as the back end names it."""
    return f"{keras.config.backend()} on {', '.join(keras.distribution.list_devices()) or 'its default device'}"


def films(n_films, side_px):
    """Noise: speed does not depend on what a film shows."""
    made = RNG.integers(0, 255, (n_films, side_px, side_px)).astype(np.uint8)
    return made, made > 200


def speed(options):
    """Films/s of training at the paper's batch, augmentation and all; the first epoch compiles and does not count."""
    for network in options.network or SPEED_NETWORKS:
        for precision in options.precision or ("float32",):
            changes = {"batch_size": options.batch, "input_size": options.side, "precision": precision}
            recipe = replace(recipes.paper(), epochs=3, steps_per_epoch=options.steps, augment="all", **changes)
            trainer = Trainer(TrainingSpec.of(NetworkSpec.parse(network), recipe))
            reports: list[Progress] = []
            with tempfile.TemporaryDirectory() as folder:
                made = films(N_FILMS, options.side)
                trainer.fit(*made, state=Path(folder) / "state", report=reports.append)
            best = max(one.films_per_s for one in reports if one.epoch > 1)
            print(f"{network} {precision} batch {options.batch}: {best:.1f} films/s, {device()}", flush=True)
    if options.rival:
        pytorch_speed(options)


def pytorch_speed(options):
    """The same U-Net on DenseNet-121 in PyTorch, compiled: skips, filters and blocks as ours, Adam, BCE."""
    import torch

    model = torch.compile(pytorch_unet().to("cuda" if torch.cuda.is_available() else "cpu"))
    place = next(model.parameters()).device
    adam = torch.optim.Adam(model.parameters(), 1e-4)
    batch = torch.rand(options.batch, 3, options.side, options.side, device=place)
    batch = batch.contiguous(memory_format=torch.channels_last)
    mask = (batch[:, :1] > 0.8).float()
    for dtype in (torch.float32, torch.bfloat16):
        times = []
        for step in range(options.steps + 3):
            start = time.perf_counter()
            with torch.autocast(place.type, dtype, enabled=dtype is not torch.float32):
                loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch).float(), mask)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            adam.step()
            float(loss)
            if step > 2:
                times.append(time.perf_counter() - start)
        rate = options.batch / np.median(times)
        print(f"PyTorch unet-densenet121 {dtype} batch {options.batch}: {rate:.1f} films/s, {place}", flush=True)


def pytorch_unet():  # noqa: C901 - a network in one place; PyTorch is loaded only here
    """U-Net on DenseNet-121 as `ml_backend.networks` builds it, in PyTorch; random weights."""
    import torch
    from torch import nn

    class Dense(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.layers = nn.Sequential(
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, 128, 1, bias=False),
                nn.BatchNorm2d(128),
                nn.ReLU(),
                nn.Conv2d(128, 32, 3, padding=1, bias=False),
            )

        def forward(self, features):
            return torch.cat([features, self.layers(features)], 1)

    def up(below, skip, filters):
        layers = []
        for channels in (below + skip, filters):
            layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
            self.blocks, self.transitions, channels = nn.ModuleList(), nn.ModuleList(), 64
            for n_layers in (6, 12, 24, 16):
                self.blocks.append(nn.Sequential(*(Dense(channels + 32 * i) for i in range(n_layers))))
                channels += 32 * n_layers
                if n_layers != 16:
                    norm = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
                    self.transitions.append(nn.Sequential(norm, nn.Conv2d(channels, channels // 2, 1, bias=False)))
                    channels //= 2
            self.end = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
            sizes = zip((1024, 256, 128, 64, 32), (512, 256, 128, 64, 0), (256, 128, 64, 32, 16), strict=True)
            self.up = nn.ModuleList(up(*size) for size in sizes)
            self.head = nn.Conv2d(16, 1, 3, padding=1)

        def forward(self, films):
            features = self.stem(films)
            skips = [features]
            features = nn.functional.max_pool2d(features, 3, 2, 1)
            for i, block in enumerate(self.blocks):
                features = block(features)
                if i < len(self.transitions):
                    skips.append(self.transitions[i](features))
                    features = nn.functional.avg_pool2d(skips[-1], 2)
            features = self.end(features)
            for block, skip in zip(self.up, [*reversed(skips), None], strict=True):
                features = nn.functional.interpolate(features, scale_factor=2)
                features = block(features if skip is None else torch.cat([features, skip], 1))
            return self.head(features)

    return UNet()


def inference(options):
    """Milliseconds a film of the 24 networks, one by one and in batches."""
    for spec in [NetworkSpec.parse(name) for name in options.network or ()] or paper_networks():
        model = build(spec, input_size=options.side)
        times = {}
        for batch in (1, options.batch):
            some = films(batch, options.side)[0][..., None].astype(np.float32)
            model.predict_on_batch(some)
            started = [time.perf_counter()]
            for _ in range(options.steps):
                model.predict_on_batch(some)
                started.append(time.perf_counter())
            times[batch] = np.median(np.diff(started)) / batch * 1000
        figures = ", ".join(f"{ms:.2f} ms a film in batches of {batch}" for batch, ms in times.items())
        print(f"{spec.name}: {figures}, {device()}", flush=True)


def train(options):
    """Cross-validate a network on a packed set, by the case's key before a slash (its patient), and score it."""
    packed = PackedSet.load(options.packed)
    patients = [key.split("/")[0] for key in packed.keys]
    fold_of = {patient: i % options.folds for i, patient in enumerate(RNG.permutation(sorted(set(patients))))}
    folds = []
    for fold in range(options.folds):
        inside = [key for key, patient in zip(packed.keys, patients, strict=True) if fold_of[patient] == fold]
        folds.append(Fold(str(fold), tuple(sorted(set(packed.keys) - set(inside))), tuple(inside)))
    changes = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in options.set)}
    recipe = replace(recipes.paper(), input_size=packed.films.shape[-1], **changes)
    maps, began = {}, time.perf_counter()

    def listen(line):
        if line["event"] == "fold":
            maps.update(load_maps(Path(line["predictions"])))
        if line["event"] == "fold" or (line["event"] == "progress" and line["step"] == line["n_steps"]):
            print(json.dumps(line), flush=True)

    for network in options.network or SPEED_NETWORKS[:1]:
        task = TrainingTask(
            TrainingSpec.of(NetworkSpec.parse(network), recipe), options.packed, options.runs, tuple(folds)
        )
        run_task(task, listen)
        marked = np.stack([maps[key] for key in packed.keys]) >= THRESHOLD
        infected = np.any(packed.masks, axis=(1, 2))
        each = [dice(a, b) for a, b in zip(packed.masks[infected], marked[infected], strict=True)]
        called = np.any(marked, axis=(1, 2))
        print(
            f"{network}: mean Dice {np.mean(each):.3f}, pixel F1 {dice(packed.masks, marked):.3f}, sensitivity "
            f"{called[infected].mean():.3f}, specificity {1 - called[~infected].mean():.3f}, "
            f"{time.perf_counter() - began:.0f} s, {device()}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", help="Instead of those that the measurement is about.")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=224, help="Of the films, in pixels.")
    parser.add_argument("--steps", type=int, default=20, help="Steps that are timed.")
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("speed")
    one.add_argument("--precision", action="append")
    one.add_argument("--rival", action="store_true", help="PyTorch's compiled U-Net too.")
    one.set_defaults(run=speed)
    verbs.add_parser("inference").set_defaults(run=inference)
    one = verbs.add_parser("train")
    one.add_argument("packed", type=Path)
    one.add_argument("--folds", type=int, default=5)
    one.add_argument("--runs", type=Path, default=Path("runs"))
    one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    one.set_defaults(run=train)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
