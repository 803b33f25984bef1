"""From any colour profile to sRGB: LittleCMS for 8 bits, and the matrix profiles' own formula for what has more.

Pillow's LittleCMS takes 8 bits a channel only. The profiles of cameras, screens and editors (Adobe RGB, Display P3,
ProPhoto, greys) are a curve a channel and one matrix, so that deep pictures keep their depth.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from PIL import Image, ImageCms

from impasto.image.colour import linear_to_srgb
from impasto.image.metadata import srgb_profile

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

# Linear sRGB to XYZ under D50, the light in which ICC profiles meet (Bradford-adapted).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_FITS = {b"RGB ": ("RGB", "L"), b"GRAY": ("L",), b"CMYK": ("CMYK",)}
_NEAR = 0.008  # two 8-bit steps: a profile this close is sRGB, rounded by its maker
_MOST_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class Shaper:
    """A profile made of curves and, for colour, one matrix.

    Attributes:
        curves: for each channel, the linear values of 4096 equal steps.
        matrix: linear RGB to linear sRGB, or None for greys.
    """

    curves: tuple[npt.NDArray[np.float64], ...]
    matrix: npt.NDArray[np.float64] | None

    def to_srgb(self, values: Floats) -> Floats:
        """Values in [0, 1], shape (H, W, 3), or (H, W) for greys, as sRGB of the same shape."""
        steps = np.linspace(0, 1, len(self.curves[0]))
        if self.matrix is None:
            return linear_to_srgb(np.interp(values, steps, self.curves[0]).astype(np.float32))
        light = [np.interp(values[..., i], steps, self.curves[i]).astype(np.float32) for i in range(3)]
        return linear_to_srgb(np.clip(np.stack(light, -1) @ self.matrix.T.astype(np.float32), 0, 1))

    @property
    def is_srgb(self) -> bool:
        """Whether converting would change nothing that shows."""
        ramp = np.linspace(0, 1, 33, dtype=np.float32)
        probe: Floats = ramp.reshape(1, -1)
        if self.matrix is not None:
            probe = np.stack(np.meshgrid(ramp[::4], ramp[::4], ramp[::4]), -1).reshape(1, -1, 3)
        return bool(np.abs(self.to_srgb(probe) - probe).max() < _NEAR)


def shaper_of(profile: bytes) -> Shaper | None:
    """The profile's curves and matrix, or None when it is built otherwise or cannot be parsed."""
    try:
        tags = _tags(profile)
        if b"A2B0" in tags or profile[20:24] != b"XYZ ":
            return None
        if profile[16:20] == b"GRAY":
            return Shaper((_curve(tags[b"kTRC"]),), None)
        if profile[16:20] != b"RGB ":
            return None
        columns = [_xyz(tags[key]) for key in (b"rXYZ", b"gXYZ", b"bXYZ")]
        matrix = np.linalg.inv(_SRGB_TO_XYZ) @ np.stack(columns, -1)
        return Shaper(tuple(_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC")), matrix)
    except (KeyError, IndexError, ValueError, struct.error):
        return None


def convert_image(im: Image.Image, profile: bytes | None) -> Image.Image:
    """An 8-bit image as sRGB.

    Args:
        im: mode L, RGB or CMYK, without alpha.
        profile: the file's ICC profile; one that is broken or of another kind of colour is ignored.

    Returns:
        The image in mode RGB.
    """
    if not _usable(profile) or im.mode not in _FITS.get(profile[16:20], ()):
        return im.convert("RGB")
    shaper = shaper_of(profile)
    if shaper is not None and shaper.is_srgb:
        return im.convert("RGB")
    if im.mode == "L" and profile[16:20] == b"RGB ":
        im = im.convert("RGB")
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return im.convert("RGB")
    return _through_lcms(im, opened) or im.convert("RGB")


def convert_deep(values: Floats, profile: bytes | None) -> Floats | None:
    """Deep values as sRGB, without going through 8 bits.

    Args:
        values: in [0, 1], shape (H, W, 3), or (H, W) for greys.
        profile: the file's ICC profile.

    Returns:
        sRGB of the same shape, or None when the profile is of a kind that only LittleCMS can apply.
    """
    if not _usable(profile):
        return values
    colour = values.ndim == 3
    if profile[16:20] != (b"RGB " if colour else b"GRAY"):
        return values
    shaper = shaper_of(profile)
    if shaper is None:
        return None
    return values if shaper.is_srgb else shaper.to_srgb(values)


def _usable(profile: object) -> TypeGuard[bytes]:
    if not isinstance(profile, bytes) or not 128 < len(profile) < _MOST_BYTES:
        return False
    return profile != srgb_profile()


def _through_lcms(im: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
    try:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return ImageCms.profileToProfile(im, profile, srgb, ImageCms.Intent.PERCEPTUAL, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    found = {}
    for i in range(min(count, 256)):
        key, start, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        found[key] = profile[start : start + size]
    return found


def _xyz(tag: bytes) -> npt.NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> npt.NDArray[np.float64]:
    """A tone curve, sampled at 4096 equal steps."""
    steps = np.linspace(0, 1, 4096)
    if tag[:4] == b"para":
        curve = _parametric(tag, steps)
    elif tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 0:
            curve = steps
        elif count == 1:
            curve = steps ** (table[0] / 256)
        else:
            curve = np.interp(steps, np.linspace(0, 1, count), table / 65535)
    else:
        raise ValueError("an unknown kind of curve")
    if not np.isfinite(curve).all():
        raise ValueError("a curve that is not finite")
    return np.clip(curve, 0, 1)


def _parametric(tag: bytes, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """ICC.1:2022, 10.18: five formulas over the numbers g a b c d e f."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    many = (1, 3, 4, 5, 7)[kind]
    g, a, b, c, d, e, f = (*(v / 65536 for v in struct.unpack_from(f">{many}i", tag, 12)), *(0.0,) * 7)[:7]
    if kind == 0:
        a, b, d = 1.0, 0.0, -1.0
    elif kind in (1, 2):
        # Left of the bend the curve is the constant c (0 for kind 1); right of it, c is added.
        d, e, c, f = (-b / a if a else 0.0), c, 0.0, c
    power: npt.NDArray[np.float64] = np.maximum(a * x + b, 0) ** g
    curve: npt.NDArray[np.float64] = np.where(x >= d, power + e, c * x + f)
    return curve
