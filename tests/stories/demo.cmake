# The demo and its parts.
tocsin_story(NAME demo SCRIPT demo_story.sh TIMEOUT 300)
tocsin_story(NAME demo_ends SCRIPT demo_ends.sh TIMEOUT 400)
tocsin_story(NAME generate SCRIPT generate_story.sh BUSY SANITIZED)
tocsin_story(NAME receive SCRIPT receive_story.py SANITIZED)
