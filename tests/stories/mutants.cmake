# Would the tests notice if journal, outbox or time were wrong? A few changes in the full run, all of them
# in the long forms; the tree that they are made in is that of the preset asan.
if(TOCSIN_ALL_TREES)
    set(journal_tests test_segments test_journal_format test_journal_recall test_journal test_intake_log test_kept_files
        test_data_dir test_disk_faults test_bit_rot test_power_cut)
    set(journal_files store/segment_log.c store/segment_walk.c store/journal.c store/journal_format.c
        store/journal_read.c store/journal_recall.c store/journal_compare.c store/intake_log.c store/intake_frame.c
        store/intake_read.c store/data_dir.c
        store/kept_files.c daemon/durable.c daemon/durable_start.c daemon/durable_outbox.c)
    set(outbox_tests test_outbox_retry test_outbox_dead test_outbox_ticket test_outbox_notice test_outbox
        test_outbox_model test_outbox_crash)
    set(outbox_files sinks/outbox_chain.c sinks/outbox_core.c sinks/outbox_dead.c sinks/outbox_gate.c sinks/outbox_op.c
        sinks/outbox_resume.c sinks/outbox_retry.c sinks/outbox_ticket.c)
    set(time_tests test_event_time test_time_parts test_time test_forms_expect test_blind test_recovery test_away
        test_snapshot)
    set(time_files ingest/event_time.c correlate/seal.c correlate/blind.c correlate/recovery.c correlate/mark.c)
    # So few that one which survives would say little: this share shows that the check itself works.
    tocsin_mutate(NAME few COUNT 3 LEAST 50 TESTS test_data_dir test_segments FILES store/data_dir.c store/segment_log.c)
    tocsin_mutate(NAME journal_long COUNT 60 TESTS ${journal_tests} FILES ${journal_files} LABELS long TIMEOUT 3600)
    tocsin_mutate(NAME outbox_long COUNT 40 TESTS ${outbox_tests} FILES ${outbox_files} LABELS long TIMEOUT 3600)
    tocsin_mutate(NAME time_long COUNT 30 TESTS ${time_tests} FILES ${time_files} LABELS long TIMEOUT 3600)
endif()
