# The whole way on a real Kafka: kcat or `tocsin generate` -> Kafka -> `tocsin run` -> `tocsin receive`.
tocsin_story(NAME e2e_kcat SCRIPT e2e_kcat.sh NEEDS kafka SANITIZED)
tocsin_story(NAME e2e_live_is_replay SCRIPT e2e_live_is_replay.sh NEEDS kafka TIMEOUT 240)
tocsin_story(NAME e2e_group SCRIPT e2e_group.sh NEEDS kafka SANITIZED TIMEOUT 240)
tocsin_story(NAME e2e_tls_sasl SCRIPT e2e_tls_sasl.sh NEEDS kafka SANITIZED TIMEOUT 240)
tocsin_story(NAME e2e_broker_restart SCRIPT e2e_broker_restart.sh NEEDS kafka TIMEOUT 240)
tocsin_story(NAME e2e_lone_event SCRIPT e2e_lone_event.sh NEEDS kafka)
tocsin_story(NAME e2e_holes SCRIPT e2e_holes.sh NEEDS kafka SANITIZED)
