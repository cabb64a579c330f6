// The resolver of an indirect function chooses another implementation.
//# flags: -fno-inline
//# compilers: gcc
//# expect: function chosen changed references
static int one(int x) { return x + 1; }
static int two(int x) { return x + 2; }
#ifdef AFTER
static void *pick(void) { return (void *)two; }
#else
static void *pick(void) { return (void *)one; }
#endif
void *keep[] = {(void *)one, (void *)two};
int chosen(int) __attribute__((ifunc("pick")));
int g(int x) { return chosen(x) + 1; }
