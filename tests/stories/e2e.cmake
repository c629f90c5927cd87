# The whole way on a real Kafka: kcat or `tocsin generate` -> Kafka -> `tocsin run` -> `tocsin receive`.
tocsin_story(NAME e2e_kcat SCRIPT e2e_kcat.sh NEEDS kafka SANITIZED)
tocsin_story(NAME e2e_live_is_replay SCRIPT e2e_live_is_replay.sh NEEDS kafka TIMEOUT 400)
tocsin_story(NAME e2e_group SCRIPT e2e_group.sh NEEDS kafka SANITIZED TIMEOUT 400)
tocsin_story(NAME e2e_tls_sasl SCRIPT e2e_tls_sasl.sh NEEDS kafka SANITIZED TIMEOUT 400)
tocsin_story(NAME e2e_broker_restart SCRIPT e2e_broker_restart.sh NEEDS kafka TIMEOUT 400)
tocsin_story(NAME e2e_lone_event SCRIPT e2e_lone_event.sh NEEDS kafka)
tocsin_story(NAME e2e_holes SCRIPT e2e_holes.sh NEEDS kafka SANITIZED)
tocsin_story(NAME e2e_rebalance SCRIPT e2e_rebalance.sh NEEDS kafka TIMEOUT 400)
# Ten times more than a sink takes, and several times what the memory budget holds: for ten seconds, and
# for five minutes at an op a second (F7, O7).
tocsin_story(NAME overload SCRIPT overload.py BUSY NEEDS kafka TIMEOUT 300 ARGS 10 0.05 200)
tocsin_story(NAME overload_long SCRIPT overload.py NEEDS kafka LABELS long TIMEOUT 1800 ARGS 300 1 2000)
