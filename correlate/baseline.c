/* baseline.c - see baseline.h. */
#include "correlate/baseline.h"

#include <math.h>

double baseline_spread(const struct baseline_slot *slot)
{
    return sqrt(slot->square / slot->count);
}

double baseline_deviation(const struct baseline_slot *slot, uint32_t learn, double number)
{
    double distance = number - slot->mean, deviation;

    if (slot->count < learn || number != number)
        return NAN;
    if (distance == 0)
        return 0;
    /* Over a spread of nothing it is infinite, and cut like all that is far off. */
    deviation = distance / baseline_spread(slot);
    return deviation > BASELINE_DEVIATION_MAX    ? BASELINE_DEVIATION_MAX
           : deviation < -BASELINE_DEVIATION_MAX ? -BASELINE_DEVIATION_MAX
                                                 : deviation;
}

void baseline_teach(struct baseline_slot *slot, double number)
{
    double distance = number - slot->mean;

    slot->count++;
    slot->mean += distance / slot->count;
    slot->square += distance * (number - slot->mean);
}
