"""The body that starts a procedure on many clusters, made for each procedure that allows it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.v1.schemas.clusters import Labels, asked_labels
from app.api.v1.schemas.starting import JobOptions, body, camel, example_of, fields_of, given
from app.api.v1.schemas.words import CLUSTER, Asked, Id, Whole
from app.domain.bulk import MOST_CLUSTERS
from app.procedures.base import Procedure
from app.services.bulk_jobs import NewBulkJob
from app.services.bulk_records import BulkRequest, Selector

LARGEST_WAVE = 100
SELECTED: dict[str, Any] = {"labels": [{"name": "site", "value": "berlin"}], "cluster_ids": []}

WaveSize = Annotated[
    Whole,
    Field(
        ge=1,
        le=LARGEST_WAVE,
        description="So many clusters at most are worked on at once. A wave begins when every job "
        "of the wave before it has ended.",
        examples=[5],
    ),
]


class SelectorAsked(Asked):
    """Which clusters: those with all of the labels, and those named by id as well."""

    model_config = ConfigDict(json_schema_extra={"examples": [SELECTED]})

    labels: Labels = Field(
        default_factory=list, description="Clusters that have all of these; none: nobody by label."
    )
    cluster_ids: list[Id] = Field(
        default_factory=list,
        max_length=MOST_CLUSTERS,
        description="Clusters by id. They come first, in this order.",
        examples=[[CLUSTER]],
    )

    def selector(self) -> Selector:
        """In the words of the services."""
        return Selector(asked_labels(self.labels), tuple(self.cluster_ids))


class BulkOptions(JobOptions):
    """What every bulk body has beside the procedure's parameters."""

    selector: SelectorAsked = Field(description="Which clusters.")
    wave_size: WaveSize = 1
    stop_after_failures: Whole = Field(
        default=1,
        ge=1,
        le=MOST_CLUSTERS,
        description="No further cluster is begun once so many were refused, failed or were "
        "cancelled.",
        examples=[1],
    )

    def said(self, *, queue: bool) -> NewBulkJob:
        """In the words of the services."""
        return NewBulkJob(
            selector=self.selector.selector(),
            wave_size=self.wave_size,
            stop_after=self.stop_after_failures,
            request=BulkRequest(
                change=given(self.change),
                correlation=given(self.correlation),
                terms=self.terms(),
                queue=queue,
            ),
        )


class BulkPreviewAsked(Asked):
    """Which clusters, and how many at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"selector": SELECTED, "wave_size": 5}]}
    )

    selector: SelectorAsked = Field(description="Which clusters.")
    wave_size: WaveSize = 1


def bulk_body(procedure: Procedure) -> type[BaseModel] | None:
    """The body of a procedure; None: it is not offered for many clusters.

    Raises TypeError where a parameter that it leaves out has no default, or one that it has is
    named like an option.
    """
    if procedure.in_bulk is None:
        return None
    fields, examples = fields_of(procedure), example_of(procedure)
    for field in dataclasses.fields(procedure.parameters):
        if field.name not in procedure.in_bulk and (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ):
            raise TypeError(f"{procedure.slug}: {field.name} has no default for many clusters")
    taken = {*procedure.in_bulk} & {*BulkOptions.model_fields}
    if taken:
        raise TypeError(f"{procedure.slug}: parameters {sorted(taken)} are names of bulk options")
    example = {
        **{name: examples[name] for name in procedure.in_bulk},
        "selector": SELECTED,
        "wave_size": 5,
        "stop_after_failures": 1,
        "change": {"system": "servicenow", "number": "CHG0031234"},
    }
    return body(
        f"{camel(procedure.slug)}Bulk",
        procedure.summary,
        {name: fields[name] for name in procedure.in_bulk},
        example,
        BulkOptions,
    )


def bulk_parameters(procedure: Procedure, asked: BaseModel) -> Any:
    """The procedure's parameters out of that body; those it leaves out keep their defaults."""
    return procedure.parameters(**{name: getattr(asked, name) for name in procedure.in_bulk or ()})
