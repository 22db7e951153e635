"""Rule figure: one figure of the paper, as PDF and PNG."""

from recurrence.configuration.blocks import Figures
from recurrence.figures import draw, save
from recurrence.job import logged

with logged(snakemake.log[0]):
    block = Figures(**snakemake.params.figures)
    figure = draw(snakemake.wildcards.figure, dict(snakemake.input.items()), block)
    save(figure, snakemake.output.pdf, snakemake.output.png, block.dpi)
