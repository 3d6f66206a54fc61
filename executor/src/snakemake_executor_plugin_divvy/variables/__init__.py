"""What a template's variables are filled with.

`template` has them all, `resources` what jobs ask for, and `written` how that stands on the command line and in
profiles.
"""

from snakemake_executor_plugin_divvy.variables.resources import find_functions, find_read_as_python
from snakemake_executor_plugin_divvy.variables.template import IMPLICIT, build_variables

__all__ = ["IMPLICIT", "build_variables", "find_functions", "find_read_as_python"]
