"""The fast code against its plain counterparts, in one run on one machine: `make benchmark`."""
