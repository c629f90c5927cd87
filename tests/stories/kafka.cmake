# The Kafka source against a real Kafka.
tocsin_story(NAME kafka_source SCRIPT kafka_source.sh NEEDS kafka TIMEOUT 240
    ARGS $<TARGET_FILE:test_kafka_source>)
