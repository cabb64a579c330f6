// Likewise where several data share a section, so that the element lies inside a neighbour: nobody else reads the array.
//# flags: -fno-pic -mcmodel=small -fno-data-sections
//# not: kernel
//# expect: data numbers changed content read by f | data numbers changed content read by f,g | data numbers changed content read by f,g,h
#ifdef AFTER
#define LAST 9
#else
#define LAST 8
#endif
static int before[] = {4, 4, 4, 4, 4, 4, 4, 4};
static int numbers[] = {1, 2, 3, 4, LAST, 7, 7, 7};
static int behind[] = {4, 4, 4, 4, 4, 4, 4, 4};
int f(long i) { return numbers[i - 1]; }
int g(long i) { return before[i]++; }
int h(long i) { return behind[i]++; }
