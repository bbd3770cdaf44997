"""Where a number of a given rank stands inside its bin, from the bin's edges, its count and the exact mean of its numbers."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Bool, Float, as_float


def lower_edges(edges: Float) -> Float:
    """Lower edges of bins (a, b] of numbers from 0 on, from their upper edges b, (..., B). A first bin with the edge 0 is 0."""
    return np.concatenate([np.zeros_like(edges[..., :1]), edges[..., :-1]], axis=-1)


def spreads(count: Float) -> Bool:
    """Whether the numbers of each bin (C, B) are taken to fill it: a neighbour holds some. Numbers that leave both neighbours
    empty lie close together, as equal ones do."""
    some = np.pad(count > 0, ((0, 0), (1, 1)))
    found: Bool = some[:, :-2] | some[:, 2:]
    return found


def at_rank(rank: Float, count: Float, mean: Float, edges: tuple[Float, Float], is_spread: Bool) -> Float:
    """The number of this rank, from 1, among the `count` of a bin with these lower and upper edges; all of one shape.

    Numbers that fill their bin have a density with one step, at their mean: the one such density that has this mean (below it
    lies the share (b - mean) / (b - a)). The number stands in the middle of its rank's part of them. Others, and one alone,
    stand at their mean. A number is never at the lower edge or below, nor above the upper one, so it is off by less than the
    bin's width, and by nothing where all are equal to the upper edge.

    >>> one, edges = np.ones(3), (np.full(3, 8.0), np.full(3, 16.0))
    >>> at_rank(np.array([1.0, 2.0, 4.0]), 4 * one, 10 * one, edges, np.array([True, True, False])).round(2).tolist()
    [8.33, 9.0, 10.0]
    """
    low, high = edges
    mean = np.clip(mean, low, high)
    below = np.where(high > low, (high - mean) / np.where(high > low, high - low, 1.0), 0.0)
    part = np.clip((rank - 0.5) / np.maximum(count, 1.0), 0.0, 1.0)
    is_below = part < below
    left = low + (mean - low) * part / np.where(is_below, below, 1.0)
    right = mean + (high - mean) * (part - below) / np.where(below < 1.0, 1.0 - below, 1.0)
    inside = np.minimum(np.where(is_below, left, right), high)
    return as_float(np.where(is_spread & (count > 1), inside, mean))
