import threading

import pytest

from serve_app.models.meter import Stopped, in_parallel, metered


def test_bytes_of_all_threads_are_counted_on_one_bar(capsys):
    with metered("Fetching", 100, 40) as meter:
        in_parallel(meter.update, [10, 20, 30], meter)
    assert "100/100" in capsys.readouterr().err


def test_the_first_error_stops_the_other_threads_at_their_next_byte():
    met, stopped = threading.Barrier(2), []

    def work(is_bad):
        met.wait()
        if is_bad:
            raise ValueError("broken")
        try:
            while True:
                meter.update(0)
        except Stopped:
            stopped.append(True)
            raise

    with metered("Fetching", 0) as meter, pytest.raises(ValueError, match="broken"):
        in_parallel(work, [True, False], meter)
    assert stopped == [True]
