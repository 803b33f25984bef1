"""Trained networks as ONNX files that `impasto.fast` runs without torch, for pictures of any size.

Each network has its writer, a file of its own name with a function `to_onnx`. `blocks`, `trunks` and `vgg` hold what
writers share, `graph` is the pen they write with, and `rounding` measures what weights in fewer bits cost.
"""

from impasto.offline.export.files import Exported, export, graphs
from impasto.offline.export.ghiasi import predict_to_onnx, transfer_to_onnx

__all__ = ["Exported", "export", "graphs", "predict_to_onnx", "transfer_to_onnx"]
