# The demo and its parts. The demo measures times to page, so nothing else runs beside it.
tocsin_story(NAME demo SCRIPT demo_story.sh SERIAL TIMEOUT 120)
tocsin_story(NAME demo_ends SCRIPT demo_ends.sh SERIAL TIMEOUT 120)
tocsin_story(NAME generate SCRIPT generate_story.sh SANITIZED)
tocsin_story(NAME receive SCRIPT receive_story.py SANITIZED)
