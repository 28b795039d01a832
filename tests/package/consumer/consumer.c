/* Prints the version of the library it found. */
#include <buddyslab/buddyslab.h>
#include <stdio.h>

int main(void)
{
    return puts(bsl_version()) < 0;
}
