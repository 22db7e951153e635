"""Rule parameters: the names and shapes of a network's parameters, for a figure."""

from recurrence.configuration.blocks import Network
from recurrence.job import logged
from recurrence.network import parameter_table
from recurrence.storage import write_table

with logged(snakemake):
    network = Network(**snakemake.params.network)
    write_table(snakemake.output[0], parameter_table(snakemake.params.interaction, network))
