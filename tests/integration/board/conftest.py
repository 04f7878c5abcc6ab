"""The board as two workers have it."""

from __future__ import annotations

import pytest

from workers.shared.board import Board


@pytest.fixture
def board(redis_client) -> Board:
    return Board(redis_client, "w1")


@pytest.fixture
def other(redis_client) -> Board:
    return Board(redis_client, "w2")
