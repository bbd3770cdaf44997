"""The topics of the service: their names, how they are created, and whether the log is what our promises rest on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaClient
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from streams.security import PLAINTEXT, Security
from streams.topic_ids import TopicFacts, count_brokers, describe_topics
from surveillance.errors import InvalidInput, LogMismatch

READY_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class TopicNames:
    """Every topic of the service."""

    telemetry: str
    releases: str
    incidents: str
    triggers: str
    quarantine: str
    gate_decisions: str

    @classmethod
    def under(cls, prefix: str) -> TopicNames:
        return cls(
            *(prefix + name for name in ("telemetry", "releases", "incidents", "triggers", "quarantine", "gate_decisions"))
        )


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it has to be."""

    name: str
    partitions: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What became of one topic: created, or found; `differs` names each difference of one that was found."""

    name: str
    created: bool
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """The data log as found at start; `log_id` names (cluster, topic, epoch), and offsets mean something only within it."""

    log_id: str
    topic: str
    partitions: int


def planned_topics(prefix: str, partitions: int) -> tuple[TopicPlan, ...]:
    """The plan of every topic. Broker time is append time everywhere: a registration is in force by it, too."""
    names = TopicNames.under(prefix)
    log = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    compacted = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}
    return (
        TopicPlan(names.telemetry, partitions, log),
        TopicPlan(names.releases, partitions, compacted),
        TopicPlan(names.incidents, 1, log),
        TopicPlan(names.triggers, 1, log),
        TopicPlan(names.quarantine, partitions, log),
        TopicPlan(names.gate_decisions, 1, log),
    )


def create_topics(
    bootstrap: str, prefix: str = "pms.", partitions: int = 8, security: Security = PLAINTEXT, *, replication: int | None = None
) -> tuple[TopicReport, ...]:
    """Creates the topics that do not exist and returns one report each; an existing topic is never changed.

    `replication` defaults to 3, or the number of brokers where there are fewer. Raises InvalidInput where the broker
    cannot be reached or refuses.
    """
    return asyncio.run(_create(bootstrap, planned_topics(prefix, partitions), security, replication))


async def _create(
    bootstrap: str, plans: Sequence[TopicPlan], security: Security, replication: int | None
) -> tuple[TopicReport, ...]:
    async with _connected(bootstrap, security) as (client, admin):
        found = await describe_topics(client, [plan.name for plan in plans])
        missing = [plan for plan in plans if plan.name not in found]
        copies = replication or min(3, await count_brokers(client))
        if missing:
            answer = await admin.create_topics(
                [NewTopic(p.name, p.partitions, copies, topic_configs=dict(p.configs)) for p in missing]
            )
            raced = _already_there(answer.topic_errors)
            await _await_ready(client, [plan.name for plan in plans])
            found = {**found, **await describe_topics(client, raced)}
        configs = await _configs(admin, list(found))
        return tuple(
            TopicReport(plan.name, plan.name not in found, _differences(plan, found.get(plan.name), configs.get(plan.name, {})))
            for plan in plans
        )


def _differences(plan: TopicPlan, facts: TopicFacts | None, configs: Mapping[str, str]) -> tuple[str, ...]:
    if facts is None:
        return ()
    wrong = [
        f"{name} is {configs.get(name)}, expected {value}" for name, value in plan.configs.items() if configs.get(name) != value
    ]
    if facts.partitions != plan.partitions:
        wrong.insert(0, f"{facts.partitions} partitions, expected {plan.partitions}")
    return tuple(wrong)


def _already_there(topic_errors: Sequence[Sequence[Any]]) -> list[str]:
    """Topics that somebody else created since we looked. Raises InvalidInput for those the broker refused."""
    exists = 36
    refused = [f"{name}: {message or code}" for name, code, message in topic_errors if code not in (0, exists)]
    if refused:
        raise InvalidInput("the broker refused to create topics:\n  " + "\n  ".join(refused))
    return [name for name, code, _ in topic_errors if code == exists]


async def _await_ready(client: AIOKafkaClient, topics: Sequence[str]) -> None:
    async with asyncio.timeout(READY_TIMEOUT_S):
        while True:
            found = await describe_topics(client, topics)
            if len(found) == len(topics) and all(facts.ready for facts in found.values()):
                return
            await asyncio.sleep(0.05)


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Effective configuration of each topic, the broker's defaults included."""
    if not topics:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics])
    found = {}
    for code, message, _, name, entries in (resource for answer in answers for resource in answer.resources):
        if code != 0:
            raise InvalidInput(
                f"the configuration of topic {name} cannot be read: {message or code}", "allow DescribeConfigs on it"
            )
        found[name] = {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def _connected(bootstrap: str, security: Security) -> AsyncIterator[tuple[AIOKafkaClient, AIOKafkaAdminClient]]:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **security.aiokafka())
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security.aiokafka())
    try:
        try:
            await client.bootstrap()
            await admin.start()
        except KafkaError as error:
            raise InvalidInput(
                f"no Kafka broker answers at {bootstrap}: {error}", "check PMS_KAFKA_BOOTSTRAP and the security settings"
            ) from error
        yield client, admin
    finally:
        await admin.close()
        await client.close()


def check_log(bootstrap: str, topic: str, security: Security = PLAINTEXT, *, recorded: Mapping[str, int] | None = None) -> Log:
    """The data log, or LogMismatch naming everything that is wrong and how to mend it.

    `recorded` maps each log_id known to the store to the partition count it had when first seen.
    """
    return asyncio.run(_check(bootstrap, topic, security, recorded or {}))


def require_topic(bootstrap: str, topic: str, security: Security = PLAINTEXT) -> None:
    """Raises LogMismatch where the topic does not exist, InvalidInput where no broker answers."""
    asyncio.run(_require(bootstrap, topic, security))


async def _require(bootstrap: str, topic: str, security: Security) -> None:
    async with _connected(bootstrap, security) as (client, _):
        if topic not in await describe_topics(client, [topic]):
            raise _absent(topic)


def _absent(topic: str) -> LogMismatch:
    return LogMismatch(topic, ["it does not exist; to mend: pms topics create"])


async def _check(bootstrap: str, topic: str, security: Security, recorded: Mapping[str, int]) -> Log:
    async with _connected(bootstrap, security) as (client, admin):
        found = (await describe_topics(client, [topic])).get(topic)
        if found is None:
            raise _absent(topic)
        configs = (await _configs(admin, [topic]))[topic]
    log = Log(found.log_id, topic, found.partitions)
    problems = _log_problems(log, configs, recorded.get(log.log_id))
    if problems:
        raise LogMismatch(topic, problems)
    return log


def _log_problems(log: Log, configs: Mapping[str, str], recorded: int | None) -> list[str]:
    problems = []
    if configs["message.timestamp.type"] != "LogAppendTime":
        problems.append(
            f"message.timestamp.type is {configs['message.timestamp.type']}, so device clocks decide what is late; to mend: "
            "let it drain, delete it, `pms topics create` (records already there keep their clocks: altering it is not enough)"
        )
    if configs["cleanup.policy"] != "delete":
        problems.append(
            f"cleanup.policy is {configs['cleanup.policy']}, so events vanish silently; to mend: kafka-configs --alter "
            f"--topic {log.topic} --add-config cleanup.policy=delete, then publish again what compaction may have removed"
        )
    if recorded is not None and recorded != log.partitions:
        problems.append(
            f"it has {log.partitions} partitions, {recorded} when its progress was recorded, so devices moved and their "
            "order is lost; to mend: let it drain, delete it, `pms topics create` with the count you want"
        )
    return problems
