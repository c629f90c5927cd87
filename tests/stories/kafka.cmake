# The Kafka source against a real Kafka.
tocsin_story(NAME kafka_source SCRIPT kafka_source.sh NEEDS kafka TIMEOUT 400
    ARGS $<TARGET_FILE:test_kafka_source>)
tocsin_story(NAME kafka_gaps SCRIPT kafka_source.sh NEEDS kafka TIMEOUT 400
    ARGS $<TARGET_FILE:test_kafka_gaps>)
tocsin_story(NAME kafka_memory SCRIPT kafka_source.sh NEEDS kafka ARGS $<TARGET_FILE:test_kafka_memory>)
tocsin_story(NAME record SCRIPT record.py NEEDS kafka TIMEOUT 400 ARGS restart)
# Questions to a running daemon go back from now, which takes a Kafka that knows offsets of times.
tocsin_story(NAME why_since SCRIPT why_since.sh NEEDS kafka)
tocsin_story(NAME kafka_retention SCRIPT kafka_retention.sh NEEDS kafka)
tocsin_story(NAME why_timers SCRIPT why_timers.sh NEEDS kafka)
