# Every memory order but those of the ring (house.cmake). What each edge shows is handed over in a test
# of its own, with no other edge beside it; what a sanitizer cannot see is marked so in the sources.
if(TOCSIN_ALL_TREES)
    file(GLOB base CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/base/*.[ch])
    list(REMOVE_ITEM base base/batch_ring.c)
    tocsin_weaken(NAME correlate TEST test_memory_edges FOLDERS correlate rules store FILES ${base})
    tocsin_weaken(NAME ingest TEST test_kafka_edges FOLDERS ingest)
    tocsin_weaken(NAME sinks TEST test_outbox FOLDERS sinks daemon)
endif()
