"""Rule figure: one figure of the paper, as PDF and PNG."""

from recurrence.configuration.blocks import Figures
from recurrence.figures import draw, save
from recurrence.job import logged
from recurrence.origins import require

with logged(snakemake):
    comparable = not snakemake.params.departures  # from the paper's design
    published = snakemake.params.figures["published"] and comparable
    block = Figures(**{**snakemake.params.figures, "published": published})
    for name, made_from in snakemake.params.made_from.items():
        require(snakemake.input.get(name, []), **made_from)
    figure = draw(snakemake.wildcards.figure, dict(snakemake.input.items()), block)
    save(figure, snakemake.output.pdf, snakemake.output.png, block.dpi)
