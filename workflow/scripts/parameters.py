"""Rule parameters: the names, shapes and costs of the networks' parameters, and what the controls are matched in."""

import pandas as pd

from recurrence import messages
from recurrence.configuration.blocks import Network
from recurrence.job import logged
from recurrence.network import parameter_table
from recurrence.storage import write_table

with logged(snakemake):
    network, tables = Network(**snakemake.params.network), []
    for interaction in snakemake.params.interactions:
        table = parameter_table(interaction, network)
        table.insert(0, "interaction", interaction)
        tables.append(table)
        print(messages.network_size(interaction, network))
    write_table(snakemake.output[0], pd.concat(tables))
