"""Fast paths beside their plain counterparts, in one run on one machine: `make benchmark`."""
