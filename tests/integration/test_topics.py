"""Topics on a real broker: created once, never changed, and checked before a worker trusts them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from streams.topics import TopicNames, check_log, create_topics
from surveillance.errors import InvalidInput, LogMismatch
from tests.integration.kafka_log import shown

pytestmark = pytest.mark.kafka


def administer(
    bootstrap: str, *, create: Sequence[NewTopic] = (), delete: Sequence[str] = (), grow: dict[str, int] | None = None
) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            if create:
                await admin.create_topics(list(create))
            if delete:
                await admin.delete_topics(list(delete))
            if grow:
                await admin.create_partitions({topic: NewPartitions(count) for topic, count in grow.items()})
            await shown(admin, {**{one.name: one.num_partitions for one in create}, **dict.fromkeys(delete, 0), **(grow or {})})
        finally:
            await admin.close()

    asyncio.run(run())


def test_all_topics_are_created_and_a_second_call_finds_them_as_they_are(kafka_bootstrap: str, topic_prefix: str) -> None:
    first = create_topics(kafka_bootstrap, topic_prefix, 4)
    again = create_topics(kafka_bootstrap, topic_prefix, 4)
    names = TopicNames.under(topic_prefix)
    assert [report.name for report in first] == [
        names.telemetry, names.releases, names.incidents, names.triggers, names.quarantine, names.gate_decisions,
    ]  # fmt: skip
    assert all(report.created for report in first)
    assert not any(report.created or report.differs for report in again)


def test_an_existing_topic_is_not_changed_and_the_report_says_what_differs(kafka_bootstrap: str, topic_prefix: str) -> None:
    topic = topic_prefix + "telemetry"
    administer(kafka_bootstrap, create=[NewTopic(topic, 2, 1, topic_configs={"cleanup.policy": "compact"})])
    for _ in range(2):  # the second time it would be gone, had the first changed it
        report = create_topics(kafka_bootstrap, topic_prefix, 4)[0]
        assert not report.created
        assert report.differs == (
            "2 partitions, expected 4",
            "message.timestamp.type is CreateTime, expected LogAppendTime",
            "cleanup.policy is compact, expected delete",
        )


def test_of_two_who_create_at_once_one_did_and_the_other_is_told_what_differs(kafka_bootstrap: str, topic_prefix: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        two, three = threads.map(lambda count: create_topics(kafka_bootstrap, topic_prefix, count), [2, 3])
    assert all(one.created != other.created for one, other in zip(two, three, strict=True))
    for found, counts in ((two[0], "3 partitions, expected 2"), (three[0], "2 partitions, expected 3")):
        assert found.created or found.differs == (counts,)


def test_a_log_as_created_is_accepted_with_its_partition_count(kafka_bootstrap: str, topic_prefix: str) -> None:
    create_topics(kafka_bootstrap, topic_prefix, 3)
    log = check_log(kafka_bootstrap, topic_prefix + "telemetry")
    assert log.partitions == 3
    assert check_log(kafka_bootstrap, log.topic, recorded={log.log_id: 3}) == log


@pytest.mark.parametrize(
    ("configs", "says"),
    [
        ({"message.timestamp.type": "CreateTime", "cleanup.policy": "delete"}, "message.timestamp.type is CreateTime"),
        ({"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}, "cleanup.policy is compact"),
        ({"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact,delete"}, "cleanup.policy is compact,delete"),
    ],
)
def test_a_log_that_breaks_the_promise_is_refused_and_says_how_to_mend_it(
    kafka_bootstrap: str, topic_prefix: str, configs: dict[str, str], says: str
) -> None:
    topic = topic_prefix + "telemetry"
    administer(kafka_bootstrap, create=[NewTopic(topic, 1, 1, topic_configs=configs)])
    with pytest.raises(LogMismatch, match="to mend") as refusal:
        check_log(kafka_bootstrap, topic)
    assert says in str(refusal.value)
    assert len(refusal.value.problems) == 1


def test_a_log_that_grew_partitions_is_refused(kafka_bootstrap: str, topic_prefix: str) -> None:
    create_topics(kafka_bootstrap, topic_prefix, 2)
    log = check_log(kafka_bootstrap, topic_prefix + "telemetry")
    administer(kafka_bootstrap, grow={log.topic: 5})
    with pytest.raises(LogMismatch, match="5 partitions, 2 when its progress was recorded"):
        check_log(kafka_bootstrap, log.topic, recorded={log.log_id: 2})


def test_a_recreated_topic_is_another_log(kafka_bootstrap: str, topic_prefix: str) -> None:
    create_topics(kafka_bootstrap, topic_prefix, 2)
    before = check_log(kafka_bootstrap, topic_prefix + "telemetry")
    administer(kafka_bootstrap, delete=[before.topic])
    create_topics(kafka_bootstrap, topic_prefix, 2)
    after = check_log(kafka_bootstrap, before.topic, recorded={before.log_id: 2})
    assert after.log_id != before.log_id
    assert (after.topic, after.partitions) == (before.topic, before.partitions)


def test_a_missing_log_says_which_command_creates_it(kafka_bootstrap: str, topic_prefix: str) -> None:
    with pytest.raises(LogMismatch, match="pms topics create"):
        check_log(kafka_bootstrap, topic_prefix + "telemetry")


def test_a_broker_that_does_not_answer_is_named(topic_prefix: str) -> None:
    with pytest.raises(InvalidInput, match=r"127\.0\.0\.1:1"):
        create_topics("127.0.0.1:1", topic_prefix)
