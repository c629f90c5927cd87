# The edges by which workers hand a step to each other and to the incident role. The other edges of
# correlate/core.h overlap: where one is weakened another still orders the same threads.
if(TOCSIN_ALL_TREES)
    tocsin_weaken(NAME engine TEST test_engine_threads FILES correlate/engine.c correlate/incident_stage.c
        EDGES T,I)
endif()
