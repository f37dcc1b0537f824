"""Another implementation under test: a program that speaks the adapter protocol on its standard streams."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import subprocess
import time
from types import TracebackType
from typing import Any, Self

from covey import limits
from covey.conform.subject import Answer, SubjectError


class Process:
    """A program, started by its command line, asked one thing at a time."""

    def __init__(self, command: str) -> None:
        """Start it.

        Raises:
            SubjectError: There is no such program.
        """
        self.command = command
        try:
            words = shlex.split(command)
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except (OSError, ValueError, IndexError) as error:
            why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
            raise SubjectError(f"cannot start adapter: {command}: {why or 'no command'}") from error
        self._held = b""
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it: its input ends, and if it stays all the same, it is killed."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, op: str, **arguments: Any) -> Answer:
        """Do one operation there.

        Raises:
            SubjectError: It ended, took too long, or answered something else.
        """
        self._number += 1
        question = {"id": self._number, "op": op, **arguments}
        self._write(json.dumps(question, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        try:
            answer = json.loads(self._read_line())
        except (ValueError, RecursionError) as error:
            raise SubjectError(f"adapter: {op}: answered no JSON") from error
        if not isinstance(answer, dict) or answer.get("id") != self._number:
            raise SubjectError(f"adapter: {op}: answered another question")
        return _read(op, answer)

    def _write(self, line: bytes) -> None:
        stream = self._process.stdin
        try:
            if stream is None:
                raise BrokenPipeError
            while line:
                line = line[stream.write(line) or 0 :]
        except (OSError, ValueError) as error:
            raise SubjectError(f"adapter ended: {self.command}") from error

    def _read_line(self) -> bytes:
        stream, until = self._process.stdout, time.monotonic() + limits.CONFORM_ANSWER_SECONDS
        if stream is None:
            raise SubjectError(f"adapter without output: {self.command}")
        with selectors.DefaultSelector() as waiting:
            waiting.register(stream, selectors.EVENT_READ)
            while b"\n" not in self._held:
                left = until - time.monotonic()
                if left <= 0 or not waiting.select(left):
                    seconds = f"{limits.CONFORM_ANSWER_SECONDS:g}"
                    raise SubjectError(f"adapter did not answer in {seconds} s: {self.command}")
                chunk = os.read(stream.fileno(), 65_536)
                if not chunk:
                    raise SubjectError(f"adapter ended: {self.command}")
                self._held += chunk
                if len(self._held) > limits.CONFORM_LINE_BYTES:
                    raise SubjectError(f"adapter: a line over {limits.CONFORM_LINE_BYTES} bytes")
        line, _, self._held = self._held.partition(b"\n")
        return line


def _read(op: str, answer: dict[str, Any]) -> Answer:
    if answer.get("ok") is True and isinstance(answer.get("result"), dict):
        return Answer(result=answer["result"])
    if answer.get("ok") is False and answer.get("unsupported") is True:
        return Answer(unsupported=True)
    if answer.get("ok") is False and isinstance(answer.get("reason"), str):
        return Answer(reason=answer["reason"])
    raise SubjectError(f"adapter: {op}: neither a result nor a reason")
