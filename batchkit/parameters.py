"""What notebooks import by this name; it lives in `panel/parameters.py`."""

from .panel.parameters import check_parameters, find_file, names, scratch_target

__all__ = ["check_parameters", "find_file", "names", "scratch_target"]
