"""The blocks ``network`` and ``training`` that several tests use."""

from typing import Any, TypeVar

from recurrence.configuration.blocks import Block, Channels, Network, Training

AnyBlock = TypeVar("AnyBlock", bound=Block)


def block_with(block: AnyBlock, **values: Any) -> AnyBlock:
    """The same block with other values, which are checked."""
    return type(block)(**{**block.plain(), **values})


PAPER = Network(
    timesteps=4,
    channels=Channels(conv1=8, conv2=16),
    kernel=5,
    units=128,
    lateral=["conv1", "conv2", "fc"],
    topdown=[
        "conv1_to_input",
        "conv2_to_input",
        "fc_to_input",
        "conv2_to_conv1",
        "fc_to_conv1",
        "fc_to_conv2",
    ],
)
SMALL = block_with(PAPER, channels={"conv1": 3, "conv2": 4}, units=10, timesteps=3)
TRAINING = Training(
    initialisation="released",
    iterations=12,
    batch=4,
    learning_rate=1e-3,
    warmup=4,
    cooldown=5,
    curriculum=4,
    clip_norm=1.0,
    precision="bfloat16",
    validation_scenes=64,
    validate_every=5,
)
