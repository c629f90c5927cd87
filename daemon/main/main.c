#include "base/standard_files.h"
#include "daemon/commands.h"

int main(int argc, char **argv)
{
    standard_files_hold();
    return commands_run(argc, argv);
}
