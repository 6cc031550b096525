"""Who is measured, from the command line; its key, from the environment."""

import pytest

from serve_app.bench.errors import BenchError
from serve_app.bench.price import Price
from serve_app.bench.target import Target
from serve_app.checking.question import QuestionError


@pytest.mark.parametrize(
    ("url", "base", "why"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1", "OpenAI's own version"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1", "a slash at the end"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1", "the version is there"),
        ("https://example.com/openai", "https://example.com/openai/v1", "behind a path"),
        ("https://example.com/v1beta/openai", "https://example.com/v1beta/openai", "another one"),
        ("http://v2.example.com", "http://v2.example.com/v1", "a host is no version"),
    ],
)
def test_a_url_is_taken_with_or_without_its_version(url, base, why):
    assert Target.parse(f"a={url}").url == base, why


def test_what_is_known_of_a_target_stands_behind_commas():
    target = Target.parse(
        "api=https://h/v1,model=big-2,api-key-env=KEY,price-input=1,price-output=4"
    )
    assert target == Target(
        "api", "https://h/v1", model="big-2", api_key_env="KEY", price=Price(input=1, output=4)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://127.0.0.1:8000", "write NAME=URL"),
        ("a=", "write NAME=URL"),
        ("a b=http://h", "write NAME=URL"),
        ("a-name-that-is-too-long=http://h", "at most 16"),
        ("a=127.0.0.1:8000", "is no URL"),
        ("a=ftp://h", "is no URL"),
        ("a=http://h,modle=x", "did you mean model?"),
        ("a=http://h,model=", "model has no value"),
        ("a=http://h,price-input=free", "price-input is free"),
    ],
)
def test_what_is_no_target_is_refused_with_what_would_be_one(text, said):
    with pytest.raises(QuestionError) as refused:
        Target.parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("url", ["http://me:secret@h/v1", "http://h/v1?key=secret"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(BenchError, match="environment variable") as refused:
        Target.parse(f"a={url}")
    assert "secret" not in str(refused.value)


def test_the_key_comes_from_the_variable_that_the_target_names(monkeypatch):
    monkeypatch.setenv("BENCH_TEST_KEY", "secret")
    target = Target.parse("a=http://h,api-key-env=BENCH_TEST_KEY")
    assert target.headers() == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(target)


def test_a_target_that_names_no_variable_gets_no_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert Target.parse("a=http://h").headers() == {}


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(BenchError, match=r"\$BENCH_TEST_UNSET is not set"):
        Target.parse("a=http://h,api-key-env=BENCH_TEST_UNSET").headers()


@pytest.mark.parametrize(
    ("url", "is_local"),
    [("http://127.0.0.1:1", True), ("http://localhost", True), ("https://api.example.com", False)],
)
def test_only_a_target_on_another_machine_is_asked_through_a_proxy(url, is_local):
    assert Target.parse(f"a={url}").is_local == is_local
