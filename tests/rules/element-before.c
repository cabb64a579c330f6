// An element before the first is one of the array whose address is named, or whose section it is, though it lies before both.
//# flags: -fno-pic -mcmodel=small -fdata-sections
//# expect: data numbers changed content read by f
//# expect: data letters changed content read by g
//# expect: function h changed strings
#ifdef AFTER
#define LAST 9
#define TEXT "texts before all"
#else
#define LAST 8
#define TEXT "texts behind all"
#endif
static int numbers[] = {1, 2, 3, 4, LAST};
static char letters[] = {1, 2, 3, 4, LAST, 3, 2, 1, 1, 3, 1};
int f(long i) { return numbers[i - 1]++; }
int g(long i) { return letters[i - 3]++; }
int h(long i) { return TEXT[i - 3]; }
int k(long i) { return "another text"[i - 3]; }
