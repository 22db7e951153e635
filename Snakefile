# Category-orthogonal object features in recurrent networks (Thorat, Aldegheri & Kietzmann, SVRHM 2021), reproduced.
#
#   snakemake --cores all                                            the run in config.yaml
#   snakemake --cores all --configfile workflow/presets/paper.yaml   another run
#   snakemake --cores all -- decode                                  only up to one stage

from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

if not Path("config.yaml").is_file():
    home = workflow.basedir
    raise WorkflowError(
        f"there is no config.yaml in this folder ({Path.cwd()}): start Snakemake in the project's folder ({home}), "
        f"or add --directory and that folder to the command"
    )


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/record.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/perturb.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/archive.smk"


onstart:
    require_writable(*(written_folders() if WHOLE else ["results"]))
    show_one_line_a_job(workflow)


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.configuration.output,
        kept_recordings(),
    localrule: True
