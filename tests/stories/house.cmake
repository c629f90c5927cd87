tocsin_story(NAME real_kafka SCRIPT real_kafka.sh NEEDS kafka)
