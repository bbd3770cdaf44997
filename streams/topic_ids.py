"""Cluster id and topic ids, asked of the broker by Kafka's own Metadata request, version 10.

A topic id is given at creation and never again, so it is the epoch of a log: aiokafka speaks Metadata only up to
version 5, which has names alone.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields


class TopicId(AbstractType):  # type: ignore[misc]
    """Sixteen bytes; as text, url-safe base64 without padding, as Kafka's own tools print it."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class MetadataAnswer(Response):  # type: ignore[misc]
    """Field for field as Kafka's message definitions have it."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class MetadataQuestion(RequestStruct):  # type: ignore[misc]
    """Field for field as Kafka's message definitions have it."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = MetadataAnswer
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", TopicId), ("name", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class DescribeTopicIds(Request[MetadataQuestion]):  # type: ignore[misc]
    """Never creates a topic, whatever the broker's `auto.create.topics.enable` says."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = topics

    def build(self, request_struct_class: type[MetadataQuestion]) -> MetadataQuestion:
        return request_struct_class([(bytes(16), name, {}) for name in self.topics], False, False, False, {})


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the broker says of an existing topic; `ready` = every partition has a leader."""

    name: str
    cluster_id: str
    topic_id: str
    partitions: int
    ready: bool
    brokers: int

    @property
    def log_id(self) -> str:
        """Names (cluster, topic, epoch): offsets mean something only within it."""
        return f"{self.cluster_id}/{self.name}/{self.topic_id}"


async def describe_topics(client: AIOKafkaClient, topics: Sequence[str]) -> Mapping[str, TopicFacts]:
    """Facts of those topics that exist. Raises the KafkaError the broker answers, other than an unknown topic."""
    answer = await client.send(client.get_random_node(), DescribeTopicIds(topics))
    return {facts.name: facts for topic in answer.topics if (facts := _facts(answer, topic)) is not None}


def _facts(answer: Any, topic: Sequence[Any]) -> TopicFacts | None:
    unknown_topic, leader_not_available = 3, 5
    error, name, topic_id, _, partitions, *_ = topic
    if error == unknown_topic:
        return None
    if error not in (0, leader_not_available):
        raise for_code(error)(name)
    ready = error == 0 and bool(partitions) and all(each[0] == 0 and each[2] >= 0 for each in partitions)
    text = urlsafe_b64encode(topic_id).decode().rstrip("=")
    return TopicFacts(name, answer.cluster_id or "", text, len(partitions), ready, len(answer.brokers))


async def count_brokers(client: AIOKafkaClient) -> int:
    """Number of live brokers."""
    return len((await client.send(client.get_random_node(), DescribeTopicIds([]))).brokers)
