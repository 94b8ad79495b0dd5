"""Limits of number formats (docs/THEORY.md, section 6), as powers of two."""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Format:
    """Exponents of the smallest subnormal, the smallest normal and the largest
    binade, as in host/measure/formats.h."""
    name: str
    subnormal: int
    normal: int
    largest: int

    @property
    def log10_zero(self):
        """Magnitudes below round to zero: half the smallest subnormal."""
        return (self.subnormal - 1) * math.log10(2)

    @property
    def log10_infinite(self):
        return (self.largest + 1) * math.log10(2)


FORMATS = (
    Format("f32", -149, -126, 127),
    Format("bf16", -133, -126, 127),
    Format("f16", -24, -14, 15),
    Format("e4m3", -9, -6, 8),
    Format("e5m2", -16, -14, 15),
)
DRAWN = tuple(f for f in FORMATS if f.name in ("f16", "bf16", "f32"))
