/*
 * intake_act.h - records of the intake log that say what somebody does to an incident.
 *
 *   what   ACT_ACKNOWLEDGE or ACT_CLOSE
 *   body   {"id": "<32 hex>", "comment": "...", "rule": "...", "key": ["...", ...]}
 *
 * Rule and key are those of the incident as it was open when somebody asked: by them its key is
 * found wherever the record is read again. Without them nothing was open, and the record is only
 * that somebody tried.
 *
 * Thread: any; nothing is shared.
 */
#ifndef INGEST_INTAKE_ACT_H
#define INGEST_INTAKE_ACT_H

#include "base/act.h"
#include "store/intake_log.h"

#define ACT_ACKNOWLEDGE "incident.acknowledge"
#define ACT_CLOSE "incident.close"

struct intake_act_read; /* an act with what its texts point into */

/* Whether the record is one of these, whatever its body holds. */
bool intake_act_is(const struct intake_record *record);

/* NULL where it is none, or names no incident that was open. Borrows `who` from the record.
 * Owner: the caller, until intake_act_free(). */
struct intake_act_read *intake_act_read(const struct intake_record *record);
void intake_act_free(struct intake_act_read *read);
const struct act *intake_act_of(const struct intake_act_read *read);

#endif
