"""The image, built once a run by the steps of its Dockerfile in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.charts import ROOT
from tests.deploy.dockerfile import Builder, Stage, as_list

APP = "/opt/sessioncache"
"""Where the application lies in the image; here it lies in a folder."""


@dataclass(frozen=True)
class Image:
    """What has been built."""

    stage: Stage
    app: Path
    folder: Path

    def command(self, arguments: list[str]) -> list[str]:
        """What a container with these arguments runs."""
        entrypoint = as_list(self.stage.declared["ENTRYPOINT"])
        return [word.replace(APP, str(self.app)) for word in entrypoint] + arguments

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a container."""
        return self.stage.variables


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image as its Dockerfile makes it."""
    folder = tmp_path_factory.mktemp("image")
    arguments = {"APP": str(folder / "app"), "SOURCE": str(folder / "src"), "PYTHON_PREFIX": "BASE"}
    stage = Builder(ROOT, folder, arguments).build(ROOT / "deploy/docker/Dockerfile")
    return Image(stage, folder / "app", folder)
