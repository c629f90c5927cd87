# The daemon and its commands, from outside.
tocsin_story(NAME run_config SCRIPT run_config.sh SANITIZED)
tocsin_story(NAME run_unreachable SCRIPT run_unreachable.sh SANITIZED)
tocsin_story(NAME run_broker_gone SCRIPT run_broker_gone.sh TIMEOUT 150)
tocsin_story(NAME run_reload SCRIPT run_reload.sh SANITIZED)
tocsin_story(NAME run_stop SCRIPT run_stop.sh SANITIZED)
tocsin_story(NAME run_metrics SCRIPT run_metrics.sh)
tocsin_story(NAME replay SCRIPT replay.sh SANITIZED TIMEOUT 240)
tocsin_story(NAME run_blind SCRIPT run_blind.sh TIMEOUT 150)
