"""Rule configuration: all keys of the run in one file, which can be given to --configfile again."""

import yaml

from recurrence.job import logged
from recurrence.storage import atomic

with logged(snakemake), atomic(snakemake.output[0]) as temporary:
    text = yaml.safe_dump(
        snakemake.params.untracked, sort_keys=True, default_flow_style=None, width=100
    )
    temporary.write_text(text, encoding="utf-8")
