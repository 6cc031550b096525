"""Serve's delays, held against the Serve that is installed."""

from hypothesis import given
from hypothesis import strategies as st
from ray.serve import autoscaling_policy as serve
from ray.serve.config import AutoscalingConfig

from serve_app.sim.scaling.delay import Delay, Delays

PHASES = st.tuples(st.integers(0, 5), st.sampled_from([1, 7, 31, 200, 601]))


@given(
    phases=st.lists(PHASES, max_size=20),
    start=st.integers(1, 5),
    up_s=st.sampled_from([0, 2, 30]),
    down_s=st.sampled_from([0, 10, 600]),
    to_zero_s=st.sampled_from([None, 0, 30, 900]),
)
def test_the_same_is_ordered_as_by_the_installed_ray(phases, start, up_s, down_s, to_zero_s):
    config, state = (
        AutoscalingConfig(
            upscale_delay_s=up_s, downscale_delay_s=down_s, downscale_to_zero_delay_s=to_zero_s
        ),
        {},
    )
    delay, ours, theirs, now = Delay(Delays(up_s, down_s, to_zero_s)), start, start, 0.0
    for wanted, seconds in phases:
        for _ in range(seconds):
            now += 1.0
            ours = delay.replicas(wanted, ours, now=now)
            theirs, state = serve._apply_delay_logic(wanted, theirs, config, state, now)
            assert ours == theirs
