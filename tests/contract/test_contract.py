"""The suite itself leaves nothing out."""

from __future__ import annotations

from transports.base import Capability, Operation
from transports.contract_operations import one_of_each


def test_every_operation_has_its_example():
    assert {type(operation) for operation in one_of_each()} == set(Operation.__subclasses__())


def test_every_capability_but_plain_administration_has_an_operation():
    covered = {operation.capability for operation in one_of_each()}
    assert covered == set(Capability) - {Capability.ADMINISTRATION}
