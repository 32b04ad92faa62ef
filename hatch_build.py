"""Puts the example project into the wheel, for `reactor init`. An editable install has the repository itself."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INTO = "reactor/project/scaffold_files"
FOLDERS = ("sensors", "workflows")


class ExampleProject(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"] |= {folder: f"{INTO}/{folder}" for folder in FOLDERS}
