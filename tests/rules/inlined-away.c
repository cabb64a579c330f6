// A helper that was inlined everywhere is written out by hand.
//# flags: -O2
#ifdef AFTER
int f(int x) { return x * 3 + 1; }
#else
static inline __attribute__((always_inline)) int h(int x) { return x * 3; }
int f(int x) { return h(x) + 1; }
#endif
