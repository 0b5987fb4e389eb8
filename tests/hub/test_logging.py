"""What a log line looks like, from our own loggers and from other people's."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from django.core.exceptions import TooManyFieldsSent

from hub.logging import _renderers, logging_config


@contextmanager
def logs(log_format: str, *, level: str = "INFO") -> Iterator[io.StringIO]:
    """Send one logger's records through the configured formatter into memory; the rest of logging stays as it is."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    options = dict(logging_config(log_format, level=level)["formatters"]["hub"])
    handler.setFormatter(options.pop("()")(**options))
    logger = logging.getLogger("hub.test")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield stream
    finally:
        logger.removeHandler(handler)


def last(stream: io.StringIO) -> dict[str, Any]:
    line = stream.getvalue().splitlines()[-1]
    parsed: dict[str, Any] = json.loads(line)
    return parsed


class TestAJsonLine:
    def test_has_event_level_logger_time_and_fields(self) -> None:
        with logs("json") as stream:
            structlog.get_logger("hub.test").info("delivery.dead", delivery="d1", attempts=6)
        line = last(stream)
        assert {name: line[name] for name in ("event", "level", "logger", "delivery", "attempts")} == {
            "event": "delivery.dead",
            "level": "info",
            "logger": "hub.test",
            "delivery": "d1",
            "attempts": 6,
        }
        assert line["timestamp"].endswith("Z")

    def test_has_the_same_shape_from_the_standard_library(self) -> None:
        with logs("json") as stream:
            logging.getLogger("hub.test").warning("slow query: %s s", 3)
        line = last(stream)
        assert (line["event"], line["level"], line["logger"]) == ("slow query: 3 s", "warning", "hub.test")
        assert set(line) == {"event", "level", "logger", "timestamp"}

    def test_carries_the_bound_request_id(self) -> None:
        with logs("json") as stream:
            with structlog.contextvars.bound_contextvars(request_id="r1"):
                structlog.get_logger("hub.test").info("a")
                logging.getLogger("hub.test").info("b")
            structlog.get_logger("hub.test").info("c")
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [line.get("request_id") for line in lines] == ["r1", "r1", None]

    def test_has_the_traceback_in_one_field_of_one_line(self) -> None:
        with logs("json") as stream:
            for logger in (structlog.get_logger("hub.test"), logging.getLogger("hub.test")):
                try:
                    raise ValueError("broken")
                except ValueError:
                    logger.exception("failed")
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert len(lines) == 2
        for line in lines:
            assert line["event"] == "failed"
            assert line["exception"].startswith("Traceback ")
            assert line["exception"].endswith("\nValueError")

    def test_has_no_text_of_an_error_that_may_quote_what_was_worked_on(self) -> None:
        with logs("json") as stream:
            try:
                try:
                    int("MARKER-1")
                except ValueError as exc:
                    raise LookupError("MARKER-2") from exc
            except LookupError:
                structlog.get_logger("hub.test").exception("failed")
        assert "MARKER" not in last(stream)["exception"].replace('int("MARKER-1")', "").replace('("MARKER-2")', "")
        assert "ValueError" in last(stream)["exception"]

    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
            (FileNotFoundError(2, "No such file or directory", "/MARKER"), "FileNotFoundError: No such file"),
        ],
    )
    def test_has_the_text_of_an_error_that_speaks_of_the_code(self, error: Exception, shown: str) -> None:
        with logs("json") as stream:
            structlog.get_logger("hub.test").error("failed", exc_info=error)
        assert shown in last(stream)["exception"]
        assert "MARKER" not in last(stream)["exception"]

    def test_is_one_line_whatever_a_field_holds(self) -> None:
        with logs("json") as stream:
            structlog.get_logger("hub.test").info("a", text="b\nc", value=object(), raw=b"\xff")
        assert stream.getvalue().count("\n") == 1
        assert last(stream)["text"] == "b\nc"


class TestAConsoleLine:
    def test_has_event_and_fields(self) -> None:
        with logs("console") as stream:
            structlog.get_logger("hub.test").info("delivery.dead", attempts=6)
        assert "delivery.dead" in stream.getvalue()
        assert "attempts=6" in stream.getvalue()
        assert "\x1b" not in stream.getvalue()

    def test_cannot_be_forged_by_a_field(self) -> None:
        with logs("console") as stream:
            structlog.get_logger("hub.test").info("a", event_type="push\n2026-01-01 [error] forged \x1b[31m")
        assert stream.getvalue().count("\n") == 1
        assert "\x1b" not in stream.getvalue()

    def test_shows_a_traceback_without_local_variables(self) -> None:
        """structlog takes another formatter, which shows them, as soon as "rich" is installed."""
        with logs("console") as stream:
            try:
                raise ValueError("broken")
            except ValueError:
                structlog.get_logger("hub.test").exception("failed")
        assert "Traceback (most recent call last)" in stream.getvalue()
        assert "test_logging.py" in stream.getvalue()
        assert "stream =" not in stream.getvalue()
        assert "ValueError: broken" not in stream.getvalue()


class TestAPlainLine:
    LINES: tuple[dict[str, Any], ...] = (
        {"event": "event.accepted", "deliveries": 1, "request_id": "r", "event_uuid": "e"},
        {"event": "e" * 40, "b": None, "a": "line\nbreak \x1b", "of": object},
        {"event": "", "level": "warning"},
        {"event": 7, "level": "exception", "logger": ""},
        {"event": "a", "logger_name": "other"},
        {"event": "a", "exception": "Traceback"},
        {"event": "a", "stack": "Stack"},
        {"level": "info", "a": 1},
    )

    @pytest.mark.parametrize("fields", LINES)
    def test_is_what_structlog_writes(self, fields: dict[str, Any]) -> None:
        line = {"timestamp": "2026-05-01T12:00:00Z", "level": "info", "logger": "hub.test", **fields}
        console = structlog.dev.ConsoleRenderer(colors=False, repr_native_str=True)

        assert _renderers("console")[-1](None, "", dict(line)) == console(None, "", dict(line))
        assert _renderers("json")[-1](None, "", dict(line)) == structlog.processors.JSONRenderer()(None, "", dict(line))

    def test_of_the_standard_library_shows_the_stack_where_that_was_asked_for(self) -> None:
        with logs("console") as stream:
            logging.getLogger("hub.test").info("a", stack_info=True)
        assert "test_of_the_standard_library_shows" in stream.getvalue()


class TestTheConfiguration:
    def test_keeps_lower_levels_out(self) -> None:
        with logs("json", level="WARNING") as stream:
            structlog.get_logger("hub.test").info("a")
            logging.getLogger("hub.test").info("a")
        assert stream.getvalue() == ""

    def test_lets_no_library_log_what_it_works_on(self) -> None:
        config = logging_config("json", level="DEBUG", own=["site_handlers"])
        assert config["root"]["level"] == "INFO"
        assert {name for name, of in config["loggers"].items() if of["level"] == "DEBUG"} == {
            *("hub", "deliveries", "integrations", "site_handlers")
        }

    @pytest.mark.parametrize("name", ["httpx", "httpcore"])
    def test_keeps_the_http_clients_from_logging_addresses(self, name: str) -> None:
        """httpx logs every URL, whose path or query may be a key, at INFO."""
        assert logging.getLogger(name).getEffectiveLevel() == logging.WARNING

    def test_has_one_line_without_a_traceback_for_a_request_that_django_refuses(self) -> None:
        stream = io.StringIO()
        (handler,) = [handler for handler in logging.getLogger().handlers if handler.name == "stderr"]
        assert isinstance(handler, logging.StreamHandler)
        before = handler.setStream(stream)
        try:
            raise TooManyFieldsSent("too many\nforged")
        except TooManyFieldsSent as exc:
            logging.getLogger("django.security.TooManyFieldsSent").error(str(exc), exc_info=exc)
        finally:
            handler.setStream(before)

        assert stream.getvalue().count("\n") == 1
        assert "too many\\nforged" in stream.getvalue()

    def test_is_the_one_that_the_hub_runs_with(self) -> None:
        """Django applies ``LOGGING`` at start-up."""
        formatters = [handler.formatter for handler in logging.getLogger().handlers]
        assert any(isinstance(formatter, structlog.stdlib.ProcessorFormatter) for formatter in formatters)
