"""The table of recipes: name -> paper, options, training. A new one is one line here.

Reading the table imports nothing; options need no torch, recipes do.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from impasto.errors import OptionError

if TYPE_CHECKING:
    from impasto.offline.recipe import Recipe, TrainOptions


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        name: what `impasto train` calls it.
        paper: authors, year, and what the network can do.
        module: where it lives.
        options: name of its options class there.
        recipe: name of its recipe there.
    """

    name: str
    paper: str
    module: str
    options: str
    recipe: str

    @property
    def options_class(self) -> type[TrainOptions]:
        """Needs no torch."""
        found: type[TrainOptions] = getattr(import_module(self.module), self.options)
        return found

    @property
    def recipe_class(self) -> type[Recipe]:
        """Needs torch."""
        found: type[Recipe] = getattr(import_module(self.module), self.recipe)
        return found


def _row(name: str, classes: str, paper: str) -> Row:
    return Row(name, paper, f"impasto.offline.{name}", f"{classes}TrainOptions", f"{classes}Recipe")


RECIPES: dict[str, Row] = {
    row.name: row
    for row in (
        _row("johnson", "Johnson", "Johnson et al. 2016: one style, one network"),
        _row("dumoulin", "Dumoulin", "Dumoulin et al. 2017: several styles in one network, and all between them"),
        _row("ghiasi", "Ghiasi", "Ghiasi et al. 2017: any style, predicted from the painting"),
        _row("swift", "Swift", "Hinton et al. 2015: a quicker painter, taught by a finished ghiasi network"),
        _row("adain", "AdaIn", "Huang and Belongie 2017: any style, by its features' means and deviations"),
        _row("impasto", "Impasto", "our own: any style, small and fast, with strokes"),
    )
}


def get_recipe(name: str) -> Row:
    """The row called `name`.

    Raises:
        OptionError: when there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise OptionError(f"there is no training for {name!r}; choose one of: {', '.join(RECIPES)}")
    return RECIPES[name]
