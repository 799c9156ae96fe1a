"""`/v1/webhooks`: who is told of what, and the log of deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app.api import links
from app.api.dependencies import (
    Cursor,
    IfMatch,
    Limit,
    MaybeOnce,
    ServicesOf,
    WebhooksWriter,
    from_cursor,
    to_cursor,
)
from app.api.marks import created
from app.api.problems import responses
from app.api.v1.schemas.webhooks import (
    DELIVERY,
    WEBHOOK,
    DeliveryDetail,
    DeliveryList,
    DeliveryRead,
    SecretRotate,
    WebhookCreate,
    WebhookList,
    WebhookRead,
    WebhookUpdate,
    WebhookWithSecret,
    delivery_detail,
    delivery_read,
    said,
    webhook_read,
    with_secret,
)
from app.api.v1.schemas.words import IDENTIFIER, JOB
from app.services.conditions import tag
from app.services.records import Outcome
from app.services.webhook_records import Delivery, DeliveryFilter, DeliveryState, Subscription

WebhookId = Annotated[
    str, Path(pattern=IDENTIFIER, description="A subscription.", examples=[WEBHOOK])
]
DeliveryId = Annotated[
    str, Path(pattern=IDENTIFIER, description="A delivery.", examples=[DELIVERY])
]
ONCE = ("idempotency-in-flight", "idempotency-key-reused")
BODY = ("body-too-large", "unsupported-media-type")

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], redirect_slashes=False)


@router.post(
    "",
    status_code=201,
    operation_id="createWebhook",
    summary="Subscribe to events",
    responses=responses("name-taken", "too-many-webhooks", *ONCE, *BODY),
)
async def create(
    *,
    request: Request,
    response: Response,
    body: WebhookCreate,
    caller: WebhooksWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> WebhookWithSecret:
    """Events from now on are sent there, signed by the `secret` that is shown only now.

    The key must also hold the scopes to read what will be told.
    """
    made = await services.webhooks.create(said(body), caller, once)
    found = made.value.subscription
    path = f"/v1/webhooks/{found.id}"
    created(request, response, path, tag(found.id, found.version), replayed=made.replayed)
    return with_secret(made.value)


@router.get(
    "",
    operation_id="listWebhooks",
    summary="List subscriptions",
    responses=responses("invalid-cursor"),
)
async def list_all(
    *,
    request: Request,
    response: Response,
    _caller: WebhooksWriter,
    services: ServicesOf,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WebhookList:
    """All subscriptions, without their secrets."""
    page = await services.webhooks.page(from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return WebhookList(items=[webhook_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{webhook_id}",
    operation_id="getWebhook",
    summary="Read a subscription",
    responses=responses("not-found"),
)
async def get(
    *, response: Response, webhook_id: WebhookId, _caller: WebhooksWriter, services: ServicesOf
) -> WebhookRead:
    """One subscription without its secrets."""
    return _told(response, await services.webhooks.get(webhook_id))


@router.patch(
    "/{webhook_id}",
    operation_id="updateWebhook",
    summary="Change a subscription",
    responses=responses(
        "not-found", "name-taken", "precondition-failed", "precondition-required", *BODY
    ),
)
async def update(
    *,
    response: Response,
    webhook_id: WebhookId,
    body: WebhookUpdate,
    caller: WebhooksWriter,
    services: ServicesOf,
    if_match: IfMatch,
) -> WebhookRead:
    """What is left out stays. Another host needs `auth` said anew, so that no secret follows."""
    return _told(response, await services.webhooks.update(webhook_id, said(body), caller, if_match))


@router.delete(
    "/{webhook_id}",
    status_code=204,
    operation_id="deleteWebhook",
    summary="Delete a subscription",
    responses=responses("not-found", "precondition-failed", "precondition-required"),
)
async def delete(
    webhook_id: WebhookId, _caller: WebhooksWriter, services: ServicesOf, if_match: IfMatch
) -> None:
    """Forget it, its secrets and its deliveries; what was not sent yet is not sent."""
    await services.webhooks.delete(webhook_id, if_match)


@router.post(
    "/{webhook_id}/pause",
    operation_id="pauseWebhook",
    summary="Pause a subscription",
    responses=responses("not-found", "webhook-disabled"),
)
async def pause(
    *, response: Response, webhook_id: WebhookId, _caller: WebhooksWriter, services: ServicesOf
) -> WebhookRead:
    """Events are collected and wait, for seven days at most."""
    return _told(response, await services.webhooks.pause(webhook_id))


@router.post(
    "/{webhook_id}/enable",
    operation_id="enableWebhook",
    summary="Enable a subscription",
    responses=responses("not-found"),
)
async def enable(
    *, response: Response, webhook_id: WebhookId, _caller: WebhooksWriter, services: ServicesOf
) -> WebhookRead:
    """What waited is sent. Events that came while it was disabled were not collected."""
    return _told(response, await services.webhooks.enable(webhook_id))


@router.post(
    "/{webhook_id}/secrets",
    status_code=201,
    operation_id="rotateWebhookSecret",
    summary="Rotate the signing secret",
    responses=responses("not-found", "webhook-secrets-full", *ONCE, *BODY),
)
async def rotate(
    *,
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    body: SecretRotate,
    _caller: WebhooksWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> WebhookWithSecret:
    """A new secret, shown only now; deliveries carry a signature of each until the overlap ends."""
    overlap = timedelta(seconds=body.overlap_seconds)
    made = await services.webhooks.rotate(webhook_id, overlap, once)
    found = made.value.subscription
    path = f"/v1/webhooks/{found.id}"
    created(request, response, path, tag(found.id, found.version), replayed=made.replayed)
    return with_secret(made.value)


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    operation_id="testWebhook",
    summary="Send a test",
    responses=responses("not-found", *ONCE),
)
async def test(
    *,
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    _caller: WebhooksWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> DeliveryRead:
    """A worker sends `webhook.test` once, paused or not; read the delivery to see what came."""
    return _accepted(request, response, await services.webhooks.test(webhook_id, once))


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="listDeliveries",
    summary="Read the delivery log",
    responses=responses("not-found", "invalid-cursor"),
)
async def deliveries(
    *,
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    _caller: WebhooksWriter,
    services: ServicesOf,
    state: Annotated[DeliveryState | None, Query(description="Only in this state.")] = None,
    event_type: Annotated[
        str,
        Query(
            alias="type",
            max_length=64,
            pattern=r"^[a-z._]*$",
            description="Only of this type.",
            examples=["job.failed"],
        ),
    ] = "",
    job_id: Annotated[
        str,
        Query(
            max_length=64,
            pattern=r"^[A-Za-z0-9_-]*$",
            description="Only of this job.",
            examples=[JOB],
        ),
    ] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryList:
    """Newest first; kept for 30 days after their end unless set otherwise."""
    wanted = DeliveryFilter("" if state is None else state.value, event_type, job_id)
    page = await services.webhooks.deliveries(webhook_id, wanted, from_cursor(cursor), limit)
    following = to_cursor(page.next)
    links.announce_next(request, response, following)
    return DeliveryList(items=[delivery_read(item) for item in page.items], next_cursor=following)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    operation_id="getDelivery",
    summary="Read a delivery",
    responses=responses("not-found"),
)
async def delivery(
    *,
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    _caller: WebhooksWriter,
    services: ServicesOf,
) -> DeliveryDetail:
    """One delivery with every attempt. Of the receiver's answers only the status is kept."""
    found, tried = await services.webhooks.delivery(webhook_id, delivery_id)
    return delivery_detail(found, tuple(tried))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    operation_id="replayDelivery",
    summary="Send a delivery again",
    responses=responses("not-found", "webhook-disabled", *ONCE),
)
async def replay(
    *,
    request: Request,
    response: Response,
    webhook_id: WebhookId,
    delivery_id: DeliveryId,
    _caller: WebhooksWriter,
    services: ServicesOf,
    once: MaybeOnce,
) -> DeliveryRead:
    """Sent again under the same `webhook-id`, its schedule begun anew, whatever became of it."""
    found = await services.webhooks.replay(webhook_id, delivery_id, once)
    return _accepted(request, response, found)


def _told(response: Response, found: Subscription) -> WebhookRead:
    response.headers["ETag"] = tag(found.id, found.version)
    return webhook_read(found)


def _accepted(request: Request, response: Response, made: Outcome[Delivery]) -> DeliveryRead:
    found = made.value
    path = f"/v1/webhooks/{found.webhook_id}/deliveries/{found.id}"
    created(request, response, path, None, replayed=made.replayed)
    response.headers["Retry-After"] = "1"
    return delivery_read(found)
