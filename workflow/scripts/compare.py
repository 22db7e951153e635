"""Rule compare: finished runs on one page, with their differences as a table and as figures."""

from pathlib import Path

from recurrence.comparison.figures import drawings
from recurrence.comparison.measures import Run, compared
from recurrence.comparison.page import comparison
from recurrence.comparison.runs import runs_of
from recurrence.figures import save
from recurrence.job import logged
from recurrence.pages import picture
from recurrence.storage import write_table, write_text

with logged(snakemake):
    output, dpi = snakemake.output, snakemake.params.dpi
    runs = [Run.read(files) for files in runs_of(snakemake.wildcards.runs)]
    table = compared(runs)
    write_table(output.table, table)
    shown, folder = [], Path(output.figures)
    folder.mkdir(exist_ok=True)
    for drawn in drawings(runs):
        png = folder / f"{drawn.name}.png"
        save(drawn.figure, png.with_suffix(".pdf"), png, dpi)
        shown.append((drawn.title, drawn.caption, picture(png, drawn.alt)))
    csv = Path(output.table).read_text(encoding="utf-8")
    page = comparison(Path(snakemake.input.template), runs, table, shown, csv)
    write_text(output.page, page)
