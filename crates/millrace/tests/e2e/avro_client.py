"""Prints events as JSON, decoded by Confluent's own client through the registry endpoints."""
import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

brokers, registry, topic, key = sys.argv[1:]
decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
consumer = Consumer({"bootstrap.servers": brokers, "group.id": "avro-client",
                     "auto.offset.reset": "earliest", "enable.partition.eof": True,
                     "enable.auto.commit": False})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
left = set(partitions)
while left:
    message = consumer.poll(10)
    if message is None:
        sys.exit("nothing came for 10 s")
    if message.error():
        left.discard(message.partition())
    elif message.key().decode() == key:
        event = decode(message.value(), SerializationContext(topic, MessageField.VALUE))
        print(json.dumps(event, default=str))
consumer.close()
