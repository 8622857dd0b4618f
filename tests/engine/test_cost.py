"""Parameters, MACs and memory against sums done by hand."""

from __future__ import annotations

from engine.cost import Cost, layer_cost, network_cost
from engine.layers import Conv, Dropout, GlobalPool, Layer, Linear, Residual, Squeeze
from engine.space import Arch
from tests.builders import small_space, stage


def layer(*primitives, side: int = 4) -> Layer:
    first = primitives[0]
    cin = getattr(first.body[0] if isinstance(first, Residual) else first, "cin", 4)
    if isinstance(first, Linear):
        primitives = (GlobalPool(), *primitives)
    return Layer("x", "test", "op", cin, 1, 1, side, primitives)


def test_a_convolution_costs_its_weights_at_every_output_and_its_batch_norm():
    cost = layer_cost(layer(Conv(3, 8, kernel=3, stride=2), side=5))
    assert cost == Cost(params=3 * 8 * 9 + 16, macs=3 * 8 * 9 * 9, peak_bytes=4 * (75 + 72))


def test_a_depthwise_convolution_costs_one_input_per_output():
    cost = layer_cost(layer(Conv(8, 8, kernel=5, groups=8)))
    assert (cost.params, cost.macs) == (8 * 25 + 16, 8 * 25 * 16)


def test_a_linear_layer_has_a_bias_that_costs_no_macs():
    cost = layer_cost(layer(Linear(8, 3)))
    assert (cost.params, cost.macs) == (27, 24)


def test_pooling_and_dropout_cost_nothing():
    assert layer_cost(layer(GlobalPool(), Dropout(0.5))) == Cost(0, 0, 0)


def test_a_residual_costs_its_body():
    body = (Conv(4, 4, kernel=3),)
    assert layer_cost(layer(Residual(body))) == layer_cost(layer(*body))


def test_pooling_shrinks_the_map_of_what_follows():
    after = layer_cost(layer(Squeeze(), Conv(4, 4)))
    assert after.macs == 16


def test_a_network_costs_the_sum_of_its_layers_and_the_peak_of_one():
    space = small_space(stage())
    arch = Arch.parse("k5e6-k3e3")
    costs = [layer_cost(part) for part in space.layers(arch)]
    total = network_cost(space, arch)
    assert total.params == sum(cost.params for cost in costs)
    assert total.macs == sum(cost.macs for cost in costs)
    assert total.peak_bytes == max(cost.peak_bytes for cost in costs)
