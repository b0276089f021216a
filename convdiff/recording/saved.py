"""What was found out about a cell, as a recording keeps it, and back; orders are proved anew."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import get_args

import numpy as np

from convdiff.behaviour.behaviour import Behaviour, Sums, Traits
from convdiff.numerics.array import Array
from convdiff.numerics.bits import same_bits
from convdiff.order.by_footprint import on_padding
from convdiff.order.footprint import footprints
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders
from convdiff.order.proved import ProvedOrder
from convdiff.order.replay.replay import Data, Order, replay
from convdiff.order.replay.step import Step
from convdiff.order.reveal.refusal import KINDS, Refusal
from convdiff.order.tree.loop_nest import Item, Leaf, Loop, terms_of, tree_of
from convdiff.order.tree.notation import notation, parse_nest
from convdiff.recording.model import (
    RecordingError,
    SavedOrder,
    SavedOrders,
    SavedProbes,
    quoted,
)

SUMS = "sums"
"""How sums are kept stands among the traits, where readers of before pass it over."""
LONG = 64
"""Characters that the notation of an order takes at most for each of its terms."""


def saved_orders(orders: Orders) -> SavedOrders:
    """Return an explanation's orders as plain data."""
    return SavedOrders(
        tuple(
            SavedOrder(
                notation(one.order.tree), one.order.arithmetic, one.confirmed, one.order.step
            )
            for one in orders.orders
        ),
        orders.which(),
        tuple((refusal.kind, refusal.reason) for refusal in orders.refusals),
    )


def restored(
    saved: SavedOrders, geometry: Geometry, data: Data, output: Array, file: str
) -> Orders:
    """Return the explanation that was saved, less what a replay on the data does not prove again.

    output: (positions, cout), as kernels give it. Raises RecordingError for orders that are none.
    """
    orders = []
    for number, one in enumerate(saved.orders):
        try:
            proven = np.asarray(saved.which == number)
            part, among = _seen(geometry, proven)
            order = _order(one, part)
            proven &= among[:, None]
            cut = replace(data, filter_hwio=part.cut(data.filter_hwio))
            proven &= _replayed(order, part, cut, output, proven)
            if proven.any():
                orders.append(ProvedOrder(order, proven, one.confirmed, footprint=part.footprint))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            text = f"{file}: damaged: no summation order: {quoted(error)}"
            raise RecordingError(text) from None
    refusals = tuple(Refusal(kind, reason) for kind, reason in saved.refusals if kind in KINDS)
    padding, _ = on_padding(geometry, data, output, Step(geometry.conv.then))
    return Orders(geometry, data, output, tuple(orders), refusals, 0, padding)


def saved_probes(behaviour: Behaviour) -> SavedProbes:
    """Return what probes found as plain data."""
    if behaviour.traits is None:
        return SavedProbes({}, behaviour.fits, silent=True)
    traits = {name: text for name, text in asdict(behaviour.traits).items() if text}
    if behaviour.sums:
        traits[SUMS] = behaviour.sums
    return SavedProbes(traits, behaviour.fits)


def restored_probes(saved: SavedProbes) -> Behaviour:
    """Return what was saved; traits that are not known are left out."""
    if saved.silent:
        return Behaviour(None, saved.fits)
    known = {field.name for field in fields(Traits)}
    traits = Traits(**{k: v for k, v in saved.traits.items() if k in known})
    width = saved.traits.get(SUMS)
    sums = next((sums for sums in get_args(Sums) if sums == width), None)
    return Behaviour(traits, saved.fits, sums)


def _seen(geometry: Geometry, elements: Array) -> tuple[Geometry, Array]:
    """Return the geometry of what an order's elements see, and the (positions,) that see it.

    All elements of one order see the same taps; of others none is taken.
    """
    if elements.shape[0] != geometry.positions:
        raise ValueError(f"orders of {elements.shape[0]} positions, expected {geometry.positions}")
    parts = footprints(geometry.conv, geometry.input_nhwc)
    footprint, among = next((pair for pair in parts if elements[pair[1]].any()), parts[0])
    return geometry.seeing(footprint), among


def _order(saved: SavedOrder, geometry: Geometry) -> Order:
    if len(saved.notation) > LONG * (geometry.leaves + 1):
        raise ValueError(f"{len(saved.notation):,} characters for {geometry.leaves} terms")
    if saved.arithmetic.dtype != geometry.dtype:
        raise ValueError(f"it gives {saved.arithmetic.dtype}, not {geometry.dtype}")
    nest = parse_nest(saved.notation)
    if _idle(nest):  # a billion times nothing would be as many terms, and take as long
        raise ValueError("a repetition of nothing")
    if terms_of(nest) != geometry.leaves:  # counted before it is written out
        raise ValueError(f"{terms_of(nest)} terms, expected {geometry.leaves}")
    tree = tree_of(nest)
    if tree.taps != geometry.taps:
        raise ValueError(f"{tree.taps} taps, expected {geometry.taps}")
    if saved.step.then != geometry.conv.then:
        raise ValueError(f"{saved.step.then or 'nothing'} follows, not {geometry.conv.then}")
    return Order(tree, saved.arithmetic, saved.step)


def _idle(item: Item) -> bool:
    """Return whether a nest repeats something no times."""
    if isinstance(item, Leaf):
        return False
    if isinstance(item, Loop):
        return item.count < 1 or any(_idle(part) for part in item.body)
    return any(_idle(part) for part in item.items)


def _replayed(order: Order, geometry: Geometry, data: Data, output: Array, where: Array) -> Array:
    """Return which elements the order's replay gives the bits of."""
    same: Array = np.zeros(output.shape, bool)
    positions, channels = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if len(positions):
        block = np.ix_(positions, channels)
        same[block] = same_bits(replay(order, geometry, data, positions, channels), output[block])
    return same
