"""Names and sizes that all modules share. It imports nothing, so that the Snakefile can read it too."""

LAYERS = ("input", "conv1", "conv2", "fc")
# Controls without recurrence (recurrence.interactions has the others). Two have wider layers and are matched with a
# recurrent network (recurrence.costs).
FEEDFORWARD = ("feedforward", "feedforward_parameters", "feedforward_arithmetic")
PUBLISHED_INTERACTIONS = ("multiplicative", "additive")  # those with published results
ALL = "all"  # connections together, in tables that also have them one by one
FIRST_FLOW = 2  # timestep of the first recurrent flow, which comes from the activity before it
FIRST_TIMESTEP = {"activation": 1, "recurrent_flow": FIRST_FLOW}  # of each recorded quantity

SAMPLED = ("mnist", "fashion")  # the datasets that tests/sample has a part of
CLASSES = 10  # of each dataset
CATEGORIES = 2 * CLASSES  # 0-9 of the first dataset, 10-19 of the second
IMAGE = 28  # pixels, side of a source image
CANVAS = 100  # pixels, side of a scene
CANDIDATES = 50  # scenes of the perturbation experiment to search for an example
POOL = 3  # pixels, size and stride of the max-pooling

# The alterations of a scene's target in the perturbation experiment.
ALTERATIONS = (
    "location_horizontal",
    "location_vertical",
    "scale",
    "orientation",
    "category_within",
    "category_between",
)
RENDERINGS = ("opposite", "compounded")
RENDERED_TWICE = ("scale", "orientation")  # the alterations that differ between the renderings
AUXILIARY = ("location", "scale", "orientation")  # category-orthogonal
DECODED_VARIABLES = ("category", *AUXILIARY)  # in figures, in this order
PERTURBED_VARIABLES = ("location", "orientation", "scale", "category")
GROUPS = {  # variables that are reported as the mean of two
    "location_horizontal": "location",
    "location_vertical": "location",
    "category_within": "category",
    "category_between": "category",
}
CHANCE = {"category": 0.05, "location": 0.5, "scale": 0.5, "orientation": 0.5, "domain": 0.5}
