"""A character-level transformer of half a million parameters, and a text that every Python has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pydoc_data.topics import topics  # about 450 kB of English prose, the reference manual that ships with Python

import torch
from torch import Tensor, nn

SEED = 0
BATCH, CONTEXT, WIDTH, DEPTH, HEADS = 32, 64, 144, 2, 4


@dataclass(frozen=True, slots=True)
class Corpus:
    """A text as numbers. train, held_out: (characters,) int64, each below `vocabulary`."""

    train: Tensor
    held_out: Tensor
    vocabulary: int


class CharTransformer(nn.Module):
    """Predicts each next character. (batch, context) int64 -> (batch, context, vocabulary)."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, WIDTH)
        self.position = nn.Parameter(0.02 * torch.randn(CONTEXT, WIDTH))
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
                                           norm_first=True)
        self.body = nn.TransformerEncoder(layer, DEPTH, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, vocabulary)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT), persistent=False)

    def forward(self, characters: Tensor) -> Tensor:
        hidden = self.embed(characters) + self.position
        logits: Tensor = self.head(self.body(hidden, mask=self.mask, is_causal=True))
        return logits


def fresh_model(corpus: Corpus, seed: int = SEED) -> CharTransformer:
    """The model before training, the same each time."""
    torch.manual_seed(seed)
    return CharTransformer(corpus.vocabulary)


def read_corpus() -> Corpus:
    """The topics of Python's own reference manual, the last tenth held out."""
    text = "\n\n".join(topics[name] for name in sorted(topics))
    alphabet = {character: number for number, character in enumerate(sorted(set(text)))}
    numbers = torch.tensor([alphabet[character] for character in text])
    cut = len(numbers) * 9 // 10
    return Corpus(numbers[:cut], numbers[cut:], len(alphabet))


def batches(numbers: Tensor, count: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Random windows and the same windows one character later, each (BATCH, CONTEXT)."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.arange(CONTEXT)
    for _ in range(count):
        start = torch.randint(len(numbers) - CONTEXT - 1, (BATCH, 1), generator=generator)
        yield numbers[start + offsets], numbers[start + offsets + 1]


def loss_of(model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of the next character, in nats."""
    return nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
