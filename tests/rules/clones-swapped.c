// Two clones of one function swap their numbers, for their callers swap places.
//# compilers: gcc
__attribute__((noinline)) static int h(int a, int b) { return a * b + (a ^ b) * 7 + b * 31; }
#ifdef AFTER
int g(int x) { return h(x, 4) + h(x + 1, 4); }
int f(int x) { return h(x, 3) + h(x + 1, 3); }
#else
int f(int x) { return h(x, 3) + h(x + 1, 3); }
int g(int x) { return h(x, 4) + h(x + 1, 4); }
#endif
