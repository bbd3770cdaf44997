import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.manifest.durations import DAY_MS, HOUR_MS, Duration, format_duration, parse_duration, parse_duration_ms


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("PT5M", 300000),
        ("P1D", DAY_MS),
        ("P7D", 7 * DAY_MS),
        ("P1W", 7 * DAY_MS),
        ("PT72H", 72 * HOUR_MS),
        ("P1DT2H3M4.5S", DAY_MS + 2 * HOUR_MS + 184500),
        ("PT0S", 0),
        ("PT0.25S", 250),
    ],
)
def test_a_duration_of_fixed_length_is_milliseconds(text: str, milliseconds: int) -> None:
    assert parse_duration_ms(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "5M", "PT5", "-PT5M", "PT5m", "P1H", "PT1D", "P1.5D", "PT5M ", "P1DT", "PT٣M", "P" + "9" * 99 + "D"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_duration(text)


def test_minutes_and_months_are_told_apart_by_the_t() -> None:
    assert parse_duration("P12M") == Duration(months=12, milliseconds=0)
    assert parse_duration("PT12M") == Duration(months=0, milliseconds=720_000)
    assert parse_duration("P1Y2M3D") == Duration(months=14, milliseconds=3 * DAY_MS)


@pytest.mark.parametrize("text", ["P1Y", "P12M"])
def test_a_calendar_duration_has_no_fixed_length(text: str) -> None:
    with pytest.raises(ValueError, match="no fixed length"):
        parse_duration_ms(text)


@given(st.integers(min_value=0, max_value=10**13))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_duration_ms(format_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(259_200_000, "P3D"), (5_400_000, "PT1H30M"), (0, "PT0S"), (1_500, "PT1.5S"), (86_460_000, "P1DT1M")],
)
def test_the_shortest_form_is_written(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


def test_a_negative_duration_is_not_written() -> None:
    with pytest.raises(ValueError, match="not negative"):
        format_duration(-1)
