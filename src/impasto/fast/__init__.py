"""Style transfer in one pass: painting -> code -> picture, on ONNX Runtime. No torch."""

from impasto.fast.ghiasi import FastOptions, encode, paint
from impasto.fast.style_code import StyleCode, blend

__all__ = ["FastOptions", "StyleCode", "blend", "encode", "paint"]
