# The demo and its parts.
tocsin_story(NAME demo SCRIPT demo_story.sh TIMEOUT 300)
tocsin_story(NAME demo_ends SCRIPT demo_ends.sh TIMEOUT 400)
# Both begin with the port that a demo usually has, and take another one where it is taken already.
set_tests_properties(demo demo_ends PROPERTIES RESOURCE_LOCK demo_port)
tocsin_story(NAME generate SCRIPT generate_story.sh BUSY SANITIZED)
tocsin_story(NAME receive SCRIPT receive_story.py SANITIZED)
