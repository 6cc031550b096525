"""When an engine counts as hung: it has work, and no step moves it forward."""

from serve_app.errors import EngineHung

DEFAULT_HANG_TIMEOUT_S = 60.0


def require_progress(step_age_s: float, *, hang_timeout_s: float) -> None:
    """Raise `EngineHung` when the last step is older than `hang_timeout_s`."""
    if step_age_s > hang_timeout_s:
        raise EngineHung(
            f"the engine has work and made no step for {step_age_s:.0f} s "
            f"(hang_timeout_s is {hang_timeout_s:.0f}); its replica is replaced"
        )
