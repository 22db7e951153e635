"""Rule configuration: all keys of the run in one file, which can be given to --configfile again."""

import yaml

from recurrence.job import logged
from recurrence.storage import write_text

with logged(snakemake):
    text = yaml.safe_dump(
        snakemake.params.untracked, sort_keys=True, default_flow_style=None, width=100
    )
    write_text(snakemake.output[0], text)
