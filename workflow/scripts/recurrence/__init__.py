"""The experiment of Thorat, Aldegheri & Kietzmann (SVRHM 2021) as a library; it knows nothing of Snakemake."""
