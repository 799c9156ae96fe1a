"""Labels that callers are limited by: which clusters carry them now, and who may change them.

The label of a cluster decides who reaches it, so it is a matter of access as soon as anybody is
limited by its name. A caller who is limited could otherwise take a cluster out of their own sight,
or put it into the reach of another key of theirs that may more. Such labels are therefore changed
by callers only who reach every cluster; the cluster that a limited caller declares carries the
labels they are limited by, and no other that anybody is limited by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.domain.terms import Label, in_order, in_words
from app.security.acting import now_acting
from app.security.keys import Limits, Principal
from app.services.ports import Store, Transaction
from app.services.problems import Item, Problem


@dataclass(frozen=True, slots=True)
class LimitingLabels:
    """Knows the labels that limit callers."""

    store: Store
    of_tokens: frozenset[str] = frozenset()
    """Names of labels that access tokens may limit their bearers by."""

    async def reached(self, principal: Principal) -> Principal:
        """The caller with the clusters that have the labels of their limits now."""
        if not principal.limits.labels:
            return principal
        async with self.store.transaction(beyond_reach=True) as tx:
            labelled = await tx.clusters.labelled(principal.limits.labels)
        return replace(principal, labelled=labelled)

    async def check_new(self, tx: Transaction, labels: Iterable[Label]) -> None:
        """Whether who is acting may declare a cluster with these. Raises Problem `forbidden`."""
        limits = _limits_of_the_caller()
        if limits is None:
            return
        if limits.clusters is not None:
            raise Problem(
                "forbidden",
                "the key is limited to clusters by their ids, so a new one is out of its reach; a"
                " key that is limited by labels only, or not at all, declares clusters",
            )
        await self._refuse(tx, limits.labels, frozenset(labels), limits)

    async def check_change(
        self, tx: Transaction, before: Iterable[Label], after: Iterable[Label]
    ) -> None:
        """Whether who is acting may change a cluster's labels so. Raises Problem `forbidden`."""
        limits = _limits_of_the_caller()
        if limits is not None:
            await self._refuse(tx, frozenset(before), frozenset(after), limits)

    async def _refuse(
        self, tx: Transaction, before: frozenset[Label], after: frozenset[Label], limits: Limits
    ) -> None:
        if before == after:
            return
        names = {label.name for key in await tx.keys.all() for label in key.limits.labels}
        names |= self.of_tokens | {label.name for label in limits.labels}
        wrong = [
            Item(
                "label-limits-callers",
                f"callers are limited by {label.name}: this caller may not "
                + (f"add {in_words([label])}" if label in after else "change or take it away"),
                "/labels",
                f"keep {in_words([label])}"
                if label in before
                else "leave it out, or ask somebody who reaches every cluster",
            )
            for label in in_order(before ^ after)
            if label.name in names
        ]
        if wrong:
            raise Problem(
                "forbidden",
                "labels that callers are limited by are changed only by who reaches every cluster",
                errors=wrong,
            )


def _limits_of_the_caller() -> Limits | None:
    """The limits of who is acting; None where they reach every cluster."""
    act = now_acting()
    if act is None or act.principal.limits.every_cluster:
        return None
    return act.principal.limits
