"""Print the name of the run that config files make, later over earlier, or what is wrong with them.

python -m recurrence.configuration config.yaml [mine.yaml ...]
"""

import sys

from recurrence.configuration.problems import ConfigurationError, check, layered

if __name__ == "__main__":
    try:
        print(check(layered(sys.argv[1:]), sys.argv[1:]).run.name)
    except ConfigurationError as error:
        sys.exit(str(error))
